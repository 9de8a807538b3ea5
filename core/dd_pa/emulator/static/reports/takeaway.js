// What can be taken out of a report: its numbers as CSV, and its question as a request to the API or in other words.
import { html, useState } from "../vendor/vendor.js";
import { toast } from "../shared/announce.js";
import { copy, CopyButton } from "../shared/clipboard.js";
import { Dialog } from "../shared/dialog.js";

/** @typedef {string | number | null | undefined} Value */
/** @typedef {import("./copyas.js").Copy} Copy */

/** A value that no spreadsheet takes for a formula. @param {Value} value @returns {string} */
function field(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : (value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Value[][]} rows @returns {string} */
export const csv = (rows) => rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";

/** @param {string} name @param {Value[][]} rows */
function download(name, rows) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv(rows)], { type: "text/csv" }));
  link.download = `${name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
  toast.say("CSV saved");
}

/** A request as a command for a terminal, for this emulator or, with another host and real keys, for Datadog.
 * @param {{path: string, body: unknown}} request @returns {string} */
function curl({ path, body }) {
  const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return [
    `curl -X POST '${location.origin}${path}'`,
    "-H 'Content-Type: application/json'",
    '-H "DD-API-KEY: ${DD_API_KEY:-any}" -H "DD-APPLICATION-KEY: ${DD_APP_KEY:-any}"',
    `-d '${json}'`,
  ].join(" \\\n  ");
}

/** @param {{copies: Copy[], note?: string, onClose: () => void}} props */
function Copies({ copies, note, onClose }) {
  const [chosen, setChosen] = useState(copies[0].name);
  const shown = copies.find(({ name }) => name === chosen) ?? copies[0];
  return html`<${Dialog} title="Copy as" onClose=${onClose}>
    <div class="copies-head">
      <div class="segments" role="group" aria-label="Copy as">
        ${copies.map(({ name }) => html`<button type="button" key=${name} aria-pressed=${name === chosen} onClick=${() => setChosen(name)}>${name}</button>`)}
      </div>
      <span class="spring"></span><${CopyButton} key=${chosen} text=${shown.text} label=${`Copy ${shown.name}`} />
    </div>
    <pre class="code copies-text" tabindex="0">${shown.text}</pre>
    ${note && html`<p class="quiet">${note}</p>`}
  <//>`;
}

/** @param {{name: string, rows: () => Value[][], request?: {path: string, body: unknown} | null, copies?: () => Copy[], note?: string}} props
 * `rows` begin with the heads of columns; `note` says what a copy cannot say */
export function Takeaway({ name, rows, request, copies, note }) {
  const [open, setOpen] = useState(false);
  return html`<span class="takeaway">
    <button type="button" class="plain small" onClick=${() => download(name, rows())}>CSV</button>
    ${request && html`<button type="button" class="plain small" onClick=${() => void copy(curl(request), "API request")}>Copy API request</button>`}
    ${copies && html`<button type="button" class="plain small" onClick=${() => setOpen(true)}>Copy as …</button>`}
    ${copies && open && html`<${Copies} copies=${copies()} note=${note} onClose=${() => setOpen(false)} />`}
  </span>`;
}
