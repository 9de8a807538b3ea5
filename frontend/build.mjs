// Builds static/vendor/vendor.js with its licence texts, and copies what is used as it was published, with its licence:
// two fonts, and Datadog's browser SDK for the example shops (version 7) and the browser tests (6 too).
// `node build.mjs --check` builds nothing and fails when a committed file differs (CI).
import { readFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const root = join(here, "..");
const page = "core/dd_pa/emulator/static";
const shops = "example_project/look/static/look/vendor";
const copies = {
  [`${page}/fonts/inter.woff2`]: "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  [`${page}/fonts/inter-OFL.txt`]: "@fontsource-variable/inter/LICENSE",
  [`${page}/fonts/jetbrains-mono.woff2`]: "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2",
  [`${page}/fonts/jetbrains-mono-OFL.txt`]: "@fontsource-variable/jetbrains-mono/LICENSE",
  [`${page}/vendor/uplot.css`]: "uplot/dist/uPlot.min.css",
  [`${shops}/datadog-rum-v7.js`]: "@datadog/browser-rum/bundle/datadog-rum.js",
  [`${shops}/datadog-rum-LICENSE.txt`]: "@datadog/browser-rum/LICENSE",
  "tests/browser/sdk/datadog-rum-v6.js": "browser-rum-v6/bundle/datadog-rum.js",
  "tests/browser/sdk/datadog-rum-LICENSE.txt": "browser-rum-v6/LICENSE",
};

async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: ["vendor.js"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    banner: { js: "/*! Built by `make vendor`; licences in LICENSES.txt */" },
    write: false,
  });
  return Buffer.from(result.outputFiles[0].contents);
}

async function licences() {
  const parts = ["preact", "htm", "uplot", "d3-sankey", "d3-array", "d3-shape", "d3-path", "internmap"].map(async (name) => {
    const { version, license } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
    const text = await readFile(join(modules, name, "LICENSE"), "utf8");
    return `${name} ${version} (${license})\n${"=".repeat(72)}\n${text.trim()}\n`;
  });
  return Buffer.from((await Promise.all(parts)).join("\n\n"));
}

async function wanted() {
  const files = { [`${page}/vendor/vendor.js`]: await bundle(), [`${page}/vendor/LICENSES.txt`]: await licences() };
  for (const [name, source] of Object.entries(copies)) files[name] = await readFile(join(modules, source));
  return files;
}

let stale = 0;
for (const [name, bytes] of Object.entries(await wanted())) {
  const path = join(root, name);
  if (process.argv.includes("--check")) {
    const same = await readFile(path).then((old) => old.equals(bytes), () => false);
    if (!same) console.error(`${name} differs from what \`make vendor\` builds`), stale++;
  } else {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    console.log(`${name} ${bytes.length} bytes`);
  }
}
process.exitCode = stale ? 1 : 0;
