// The rows of a session's timeline: what the browser did, and beside it what the server did because of that.
// Nothing here draws; it is given the events of a session and returns what stands in which row.
import { browserOf, causeOf } from "./cause.js";
import { member, nanoseconds } from "./members.js";

/** @typedef {import("../shared/api.js").Moment} Moment */
/** @typedef {"page" | "action" | "error" | "request" | "task" | "server"} Kind what the reader can switch on and off */
/** @typedef {{moment: Moment, after: number | null}} Effect `after`: ms since its cause */
/** @typedef {{usr: string | null, account: string | null, gone: boolean}} Change ids seen for the first time, or gone */
/**
 * @typedef {object} Row
 * @property {number} at epoch ms
 * @property {Moment | null} browser
 * @property {Effect[]} server
 * @property {number} quiet ms without an event before this row; 0 where that is not worth a word
 */

/** @type {Record<Moment["kind"], Kind>} */
const kinds = { view: "page", action: "action", error: "error", resource: "request", long_task: "task", vital: "task", server: "server" };
/** @type {Kind[]} */
export const allKinds = ["page", "action", "error", "request", "task", "server"];
/** @type {Kind[]} shown unless the address says otherwise */
export const usualKinds = ["page", "action", "error", "server"];

const QUIET_MS = 45_000;

/** @param {Moment} moment @returns {Kind} */
export const kindOf = (moment) => kinds[moment.kind] ?? "task";

/** @param {Moment[]} events in the order in which they happened @param {Set<Kind>} shown @returns {Row[]} */
export function rowsOf(events, shown) {
  const browser = browserOf(events);
  /** @type {Map<Moment, Row>} */
  const rows = new Map();
  for (const event of events) {
    if (event.kind !== "server" && shown.has(kindOf(event))) rows.set(event, { at: event.at, browser: event, server: [], quiet: 0 });
  }
  for (const event of shown.has("server") ? events : []) {
    if (event.kind !== "server") continue;
    const cause = causeOf(event, browser);
    const row = cause && rows.get(cause);
    if (row) row.server.push({ moment: event, after: event.at - cause.at });
    else rows.set(event, { at: event.at, browser: null, server: [{ moment: event, after: null }], quiet: 0 });
  }
  return folded([...rows.values()].sort((one, other) => one.at - other.at));
}

/** @param {Row[]} rows @returns {Row[]} */
function folded(rows) {
  let last = rows[0]?.at ?? 0;
  for (const row of rows) {
    if (row.at - last > QUIET_MS) row.quiet = row.at - last;
    last = Math.max(last, row.at, ...row.server.map(({ moment }) => moment.at));
  }
  return rows;
}

/** When the ids of an event were known: a page knows them once it was answered. @param {Moment} event @returns {number} */
const knownAt = (event) => event.at + (event.kind === "view" ? (nanoseconds(event, "view", "first_byte") ?? 0) : 0);

/** A view tells who is looking from its second version on: the first one is made before the page could say.
 * @param {Moment} event @returns {boolean} */
const saysNobody = (event) => event.kind === "view" && event.usr === null && Number(member(event, "_dd", "document_version")) > 1;

/** The moments at which the user or the account appears, changes or is gone. @param {Moment[]} events @returns {Map<Moment, Change>} */
export function identityChanges(events) {
  /** @type {Map<Moment, Change>} */
  const changes = new Map();
  const known = { usr: /** @type {string | null} */ (null), account: /** @type {string | null} */ (null) };
  const shown = events.filter((event) => event.kind === "view" || event.kind === "server" || event.kind === "action");
  for (const event of shown.sort((one, other) => knownAt(one) - knownAt(other))) {
    const usr = event.usr !== null && event.usr !== known.usr ? event.usr : null;
    const account = event.account !== null && event.account !== known.account ? event.account : null;
    const gone = known.usr !== null && saysNobody(event);
    if (usr !== null || account !== null || gone) changes.set(event, { usr, account, gone });
    if (gone) known.usr = known.account = null;
    known.usr = usr ?? known.usr;
    known.account = account ?? known.account;
  }
  return changes;
}

const structure = new Set(["type", "application", "event", "usr", "account", "session", "service", "env", "version", "dd_pa", "_dd", "dd", "ddtags", "job"]);

/** What a server event says besides its ids, as paths and texts. @param {Moment} moment @param {number} most
 * @returns {{pairs: [string, string][], more: number}} */
export function attributes(moment, most) {
  /** @type {[string, string][]} */
  const pairs = [];
  /** @param {unknown} value @param {string} path @param {number} depth */
  const walk = (value, path, depth) => {
    const nested = typeof value === "object" && value !== null && !Array.isArray(value) && depth < 6;
    if (!nested) return void pairs.push([path, typeof value === "string" ? value : JSON.stringify(value)]);
    for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`, depth + 1);
  };
  for (const [key, value] of Object.entries(moment.body)) if (!structure.has(key)) walk(value, key, 0);
  return { pairs: pairs.slice(0, most), more: Math.max(0, pairs.length - most) };
}

/** Whether its name says that something went wrong. @param {Moment} moment @returns {boolean} */
export const isFailure = (moment) => /(?:^|[._])(?:failed|failure|declined|denied|error|refused)$/.test(moment.name);

/** Time since the session began, as `0:14.2`. @param {number} ms @returns {string} */
export function offset(ms) {
  const tenths = Math.max(0, Math.round(ms / 100));
  const seconds = Math.floor(tenths / 10);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = `${String(seconds % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
