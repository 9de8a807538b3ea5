// What can be taken out of a report: its numbers as CSV, and its question as a request to the API.
import { html } from "../vendor/vendor.js";
import { toast } from "../shared/announce.js";
import { copy } from "../shared/clipboard.js";

/** @typedef {string | number | null | undefined} Value */

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

/** @param {{name: string, rows: () => Value[][], request?: {path: string, body: unknown} | null}} props `rows` begin with the heads of columns */
export const Takeaway = ({ name, rows, request }) => html`<span class="takeaway">
  <button type="button" class="plain small" onClick=${() => download(name, rows())}>CSV</button>
  ${request && html`<button type="button" class="plain small" onClick=${() => void copy(curl(request), "API request")}>Copy API request</button>`}
</span>`;
