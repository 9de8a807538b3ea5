// The columns of the list. To add one, add an entry here: where it stands, how wide it is, what a cell shows.
import { html } from "../vendor/vendor.js";
import { ACCOUNT, ATTRIBUTES, DELAY, KIND, NAME, OFF_PLAN, REASON, RECEIVED, SESSION, STATUS, USER } from "./api.js";
import { day, duration, iso, MISSING, shortId, time } from "./format.js";
import { isLate } from "./lateness.js";
import { hue } from "./sessionhue.js";
import { OffPlanMark } from "./offplan.js";
import { Shape } from "./shapes.js";

/** @typedef {import("./api.js").Summary} Summary */
/** @typedef {import("../vendor/vendor.js").ComponentChildren} Children */
/**
 * @typedef {object} Column
 * @property {string} id also its class name
 * @property {string} title
 * @property {string} width a grid track
 * @property {number} [from] least width of the list, in pixels, that has room for it
 * @property {boolean} [yields] gives its place to the reason of a rejected event where that has no column of its own
 * @property {(row: Summary) => Children} cell
 */

export const ACCEPTED = 202;

/** @param {Summary} row */
export const isRejected = (row) => row[STATUS] !== ACCEPTED;

/** @param {number} ms */
function received(ms) {
  const text = time(ms), date = day(ms);
  if (date) return html`<time title=${iso(ms)}>${date}<span class="faint">${text.slice(0, 5)}</span></time>`;
  return html`<time title=${iso(ms)}>${text.slice(0, 8)}<span class="faint">${text.slice(8)}</span></time>`;
}

/** @param {string | null} id */
export function session(id) {
  if (id === null) return MISSING;
  return html`<span class=${`swatch hue-${hue(id)}`}></span>${shortId(id)}`;
}

/** 0 stands for a connection that was closed without an answer. @param {number} status */
export const statusText = (status) => (status === 0 ? "closed" : String(status));

/** @param {Summary} row */
export const reason = (row) => html`<b class="status">${statusText(row[STATUS])}</b> <span class="why">${row[REASON] ?? "rejected"}</span>`;

/** @param {Summary} row */
const attributes = (row) =>
  row[ATTRIBUTES].map(([path, text]) => html`<span class="pair"><span class="faint">${path}</span> ${text}</span> `);

/** @type {Record<string, string>} a browser's events have the shapes of a timeline */
const shapes = { view: "page", action: "action", error: "error", resource: "request", long_task: "task", vital: "task" };

/** @param {Summary} row */
function called(row) {
  const shape = shapes[row[KIND]];
  if (row[OFF_PLAN]) return html`${row[NAME]}<${OffPlanMark} kind=${row[OFF_PLAN][0]} text=${row[OFF_PLAN][1]} />`;
  return shape ? html`<${Shape} kind=${shape} /><span class="unseen">${shape} </span>${row[NAME]}` : (row[NAME] ?? MISSING);
}

/** @type {Column[]} */
export const columns = [
  { id: "received", title: "Received", width: "96px", cell: (row) => received(row[RECEIVED]) },
  { id: "event", title: "Event", width: "minmax(0, 2fr)", cell: called },
  { id: "user", title: "User", width: "minmax(0, 1.2fr)", yields: true, cell: (row) => row[USER] ?? MISSING },
  { id: "account", title: "Account", width: "minmax(0, 0.9fr)", from: 900, yields: true, cell: (row) => row[ACCOUNT] ?? MISSING },
  { id: "session", title: "Session", width: "92px", yields: true, cell: (row) => session(row[SESSION]) },
  { id: "attributes", title: "Attributes", width: "minmax(0, 3.4fr)", from: 1040, cell: (row) => isRejected(row) ? reason(row) : attributes(row) },
  {
    id: "delay",
    title: "Delay",
    width: "64px",
    cell: (row) => html`<span class=${isLate(row[DELAY]) ? "late" : ""}>${duration(row[DELAY])}</span>`,
  },
];

/** @type {Column} */
const reasonColumn = { id: "attributes", title: "Reason", width: "minmax(0, 3.4fr)", cell: reason };

/** @typedef {{columns: Column[], template: string, twoLines: boolean}} Layout */

/** What fits. @param {number} width of the list @param {boolean} narrow two lines a row @param {boolean} onlyRejected @returns {Layout} */
export function layout(width, narrow, onlyRejected) {
  if (narrow) {
    const order = ["event", "received", "user", "session"];
    const found = order.map((id) => /** @type {Column} */ (columns.find((column) => column.id === id)));
    return { columns: found, template: "minmax(0, 1fr) auto", twoLines: true };
  }
  let fitting = columns.filter((column) => (column.from ?? 0) <= width);
  const roomy = fitting.some((column) => column.id === "attributes");
  if (onlyRejected && !roomy) {
    fitting = fitting.filter((column) => !column.yields);
    fitting.splice(-1, 0, reasonColumn);
  } else if (onlyRejected) {
    fitting = fitting.map((column) => (column.id === "attributes" ? { ...column, title: "Reason" } : column));
  }
  return { columns: fitting, template: fitting.map((column) => column.width).join(" "), twoLines: false };
}
