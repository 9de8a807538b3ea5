// The address: everything that changes what is seen stands in it.
import { FORMER } from "./api.js";
import { Store } from "./store.js";

/** @typedef {{path: string, q: string, status: "all" | "accepted" | "rejected", source: "server" | "all", from: number | null, to: number | null,
 *   event: number | null, tab: "event" | "facets" | "delivery", at: number | null, kinds: string | null,
 *   more: Record<string, string[]>}} Place `more`: what a view keeps besides, by its name in the address; never empty lists */

const statuses = ["all", "accepted", "rejected"];
const sources = ["server", "all"];
const tabs = ["event", "facets", "delivery"];
const common = ["q", "status", "source", "from", "to", "event", "tab", "at", "kinds"];

/** @param {string | null} text @returns {number | null} */
function integer(text) {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** A number of the list, or of an event that it does not hold, as `old-123`. @param {string | null} text @returns {number | null} */
function eventNumber(text) {
  return text?.startsWith("old-") ? (integer(text.slice(4)) ?? 0) - FORMER : integer(text);
}

/** @param {number} seq @returns {string} */
export const eventText = (seq) => (seq < 0 ? `old-${seq + FORMER}` : String(seq));

/** @template {string} T @param {string | null} text @param {T[]} allowed @returns {T} the first one if it is none of them */
function oneOf(text, allowed) {
  return allowed.find((value) => value === text) ?? allowed[0];
}

/** @param {URLSearchParams} query @returns {Place["more"]} */
function others(query) {
  const names = new Set([...query.keys()].filter((name) => !common.includes(name)));
  return Object.fromEntries([...names].map((name) => [name, query.getAll(name)]));
}

/** @param {{pathname: string, search: string}} location @returns {Place} */
export function read({ pathname, search }) {
  const query = new URLSearchParams(search);
  return {
    path: pathname,
    q: query.get("q") ?? "",
    status: /** @type {Place["status"]} */ (oneOf(query.get("status"), statuses)),
    source: /** @type {Place["source"]} */ (oneOf(query.get("source"), sources)),
    from: integer(query.get("from")),
    to: integer(query.get("to")),
    event: eventNumber(query.get("event")),
    tab: /** @type {Place["tab"]} */ (oneOf(query.get("tab"), tabs)),
    at: integer(query.get("at")),
    kinds: query.get("kinds"),
    more: others(query),
  };
}

/** @param {Place} place @returns {string} */
export function write({ path, q, status, source, from, to, event, tab, at, kinds, more }) {
  const query = new URLSearchParams();
  if (q) query.set("q", q);
  if (status !== "all") query.set("status", status);
  if (source !== "server") query.set("source", source);
  if (from !== null) query.set("from", String(from));
  if (to !== null) query.set("to", String(to));
  if (event !== null) query.set("event", eventText(event));
  if (event !== null && tab !== "event") query.set("tab", tab);
  if (at !== null) query.set("at", String(at));
  if (kinds !== null) query.set("kinds", kinds);
  for (const [name, values] of Object.entries(more)) for (const value of values) query.append(name, value);
  // Search text is read by people in the address bar: leave what needs no escape.
  const text = query.toString().replaceAll("%40", "@").replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}

/** @type {Omit<Place, "path">} */
const nothing = { q: "", status: "all", source: "server", from: null, to: null, event: null, tab: "event", at: null, kinds: null, more: {} };

export class Router extends Store {
  constructor() {
    super();
    /** @type {Map<string, Place>} where each view was left, by its path */
    this.left = new Map();
    this.place = read(location);
    addEventListener("popstate", () => {
      this.place = read(location);
      this.changed();
    });
  }

  /** Replaces the history entry (typing), or adds one so that Back returns (opening).
   * @param {Partial<Place>} changes @param {{push?: boolean}} [how] */
  go(changes, { push = false } = {}) {
    const before = write(this.place);
    this.place = { ...this.place, ...changes };
    const after = write(this.place);
    if (after === before) return;
    if (push) history.pushState({ before }, "", after);
    else history.replaceState(history.state, "", after);
    this.changed();
  }

  /** Opens a view as it was left: its filters are its own, not those of the view before. @param {string} path */
  visit(path) {
    this.left.set(this.place.path, { ...this.place, event: null });
    this.go(this.left.get(path) ?? { ...nothing, path }, { push: true });
  }

  /** Goes back if that is the way to the changed address (so that Forward works), else changes it in place.
   * @param {Partial<Place>} changes */
  leave(changes) {
    if (history.state?.before === write({ ...this.place, ...changes })) history.back();
    else this.go(changes);
  }
}
