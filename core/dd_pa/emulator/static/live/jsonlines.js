// A JSON value as lines: what stands on each, how deep, and the path it belongs to.

/** @typedef {"string" | "number" | "literal" | "bracket"} Kind */
/** @typedef {{depth: number, path: string, key: string | null, kind: Kind, text: string, comma: boolean}} Line */

// Deeper values are written on one line: no screen has room for the indent.
const DEEPEST = 60;

/** @param {unknown} value @returns {Kind} */
function kindOf(value) {
  if (typeof value === "string") return "string";
  return typeof value === "number" ? "number" : "literal";
}

/** @param {unknown} value @returns {Line[]} */
export function linesOf(value) {
  /** @type {Line[]} */
  const lines = [];

  /** @param {unknown} item @param {string | null} key @param {string} path @param {number} depth @param {boolean} comma */
  const write = (item, key, path, depth, comma) => {
    const list = Array.isArray(item);
    const entries = item !== null && typeof item === "object" && depth < DEEPEST ? Object.entries(item) : [];
    if (!entries.length) {
      const text = JSON.stringify(item) ?? "null";
      lines.push({ depth, path, key, kind: item !== null && typeof item === "object" ? "bracket" : kindOf(item), text, comma });
      return;
    }
    lines.push({ depth, path, key, kind: "bracket", text: list ? "[" : "{", comma: false });
    entries.forEach(([name, child], i) => {
      const below = path ? `${path}.${name}` : name;
      write(child, list ? null : name, below, depth + 1, i < entries.length - 1);
    });
    lines.push({ depth, path: "", key: null, kind: "bracket", text: list ? "]" : "}", comma });
  };

  write(value, null, "", 0, false);
  return lines;
}

/** Line of a path, or of the nearest one above it that is there (the key may be what is missing).
 * @param {Line[]} lines @param {string | null} path @returns {number} -1 where no path is meant */
export function lineOf(lines, path) {
  if (path === null) return -1;
  for (let wanted = path; wanted; wanted = wanted.slice(0, Math.max(0, wanted.lastIndexOf(".")))) {
    const found = lines.findIndex((line) => line.path === wanted);
    if (found >= 0) return found;
  }
  return 0;
}
