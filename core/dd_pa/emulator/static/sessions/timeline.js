// The rows of a session's timeline: what the browser did, and beside it what the server did because of that.
// Nothing here draws; it is given the events of a session and returns what stands in which row.

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

const CAUSE_MS = 1_000;
const CLICK_TO_PAGE_MS = 1_000;
const CLOCK_MS = 50;
const QUIET_MS = 45_000;
const NANOSECONDS = 1e6;

/** @param {Moment} moment @returns {Kind} */
export const kindOf = (moment) => kinds[moment.kind] ?? "task";

/** What stands at a path of an event. @param {Moment} moment @param {string[]} path @returns {unknown} */
export function member(moment, ...path) {
  /** @type {any} */
  let value = moment.body;
  for (const key of path) value = typeof value === "object" && value !== null ? value[key] : undefined;
  return value;
}

/** @param {Moment} moment @param {string[]} path @returns {string | null} */
export function text(moment, ...path) {
  const value = member(moment, ...path);
  return typeof value === "string" && value !== "" ? value : null;
}

/** Milliseconds of what the browser sends in nanoseconds. @param {Moment} moment @param {string[]} path @returns {number | null} */
export function nanoseconds(moment, ...path) {
  const value = member(moment, ...path);
  return typeof value === "number" && value >= 0 ? value / NANOSECONDS : null;
}

/** One page that was loaded from the server, and the click that led there.
 * @typedef {{view: Moment, click: Moment | null, redirected: number, answered: number}} Load moments in epoch ms */

/** @param {Moment} moment @param {"url" | "referrer"} name @returns {string} "" where there is none */
function hostIn(moment, name) {
  try {
    return new URL(text(moment, "view", name) ?? "").host;
  } catch {
    return "";
  }
}

/** Whether a click on a page can have led to another: on the same host, or one that names that host as where it came from.
 * An address that was typed names nobody. @param {Moment} from @param {Moment} to @returns {boolean} */
const leads = (from, to) => hostIn(from, "url") === hostIn(to, "url") || hostIn(from, "url") === hostIn(to, "referrer");

/** @param {Moment[]} events @returns {Load[]} */
function loads(events) {
  const documents = new Map(
    events.filter((event) => event.kind === "resource" && text(event, "resource", "type") === "document").map((event) => [event.view, event]),
  );
  const actions = events.filter((event) => event.kind === "action");
  const views = new Map(events.filter((event) => event.kind === "view").map((event) => [event.view, event]));
  /** @type {Set<Moment>} clicks that led to a page: each led to one at most */
  const spent = new Set();
  return events
    .filter((event) => event.kind === "view" && text(event, "view", "loading_type") !== "route_change")
    .map((view) => {
      const page = documents.get(view.view);
      const part = (/** @type {string} */ name, /** @type {string} */ what) => (page ? nanoseconds(page, "resource", name, what) : null) ?? 0;
      const answered = nanoseconds(view, "view", "first_byte") ?? part("first_byte", "start") + part("first_byte", "duration");
      const click = actions.findLast((action) => action.at <= view.at && view.at - action.at <= CLICK_TO_PAGE_MS) ?? null;
      const led = click !== null && !spent.has(click) && leads(views.get(click.view) ?? click, view) ? click : null;
      if (led) spent.add(led);
      return { view, click: led, redirected: view.at + part("redirect", "start") + part("redirect", "duration"), answered: view.at + answered };
    });
}

/** A form's button, told by the selector that the SDK sends. @param {Moment} action @returns {boolean} */
function submits(action) {
  const selector = text(action, "_dd", "action", "target", "selector") ?? "";
  return /(?:^|>)(?:BUTTON|INPUT)[^>]*$/i.test(selector);
}

/** The page load during which it happened; what a form's button sent is the button's doing until the browser is sent elsewhere.
 * @param {Moment} event @param {Browser} browser @returns {Moment | null} */
function causeInLoad(event, { loads: all, longest }) {
  let n = countUntil(all, ({ view }) => view.at, event.at + CLOCK_MS) - 1;
  while (n >= 0 && all[n].answered + CLOCK_MS < event.at && all[n].view.at + longest + CLOCK_MS >= event.at) n -= 1;
  const load = n >= 0 && all[n].answered + CLOCK_MS >= event.at ? all[n] : null;
  if (!load) return null;
  const { click, view, redirected } = load;
  if (!click || !submits(click)) return view;
  return redirected === view.at || event.at <= redirected ? click : view;
}

/** What the browser did, to be looked up: by trace, by action, and in the order in which it happened.
 * @typedef {{traces: Map<string, Moment>, actions: Map<string, Moment>, causes: Moment[], loads: Load[], longest: number}} Browser `longest` load, ms */

/** @param {Moment[]} events @returns {Browser} */
function browserOf(events) {
  /** @type {Map<string, Moment>} */
  const traces = new Map();
  /** @type {Map<string, Moment>} */
  const actions = new Map();
  for (const event of events) {
    if (event.kind === "server") continue;
    if (event.trace_key !== null && !traces.has(event.trace_key)) traces.set(event.trace_key, event);
    if (event.kind === "action" && event.action !== null && !actions.has(event.action)) actions.set(event.action, event);
  }
  const all = loads(events);
  const longest = all.reduce((most, { view, answered }) => Math.max(most, answered - view.at), 0);
  return { traces, actions, causes: events.filter(isCause), loads: all, longest };
}

/** How many come no later than a moment. @template E @param {E[]} sorted @param {(each: E) => number} when @param {number} at @returns {number} */
function countUntil(sorted, when, at) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (when(sorted[middle]) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last thing done in the browser, no later than a moment, that passes. @param {Browser} browser @param {number} at @param {number} since
 * @param {(cause: Moment) => boolean} passes @returns {Moment | null} */
function lastCause({ causes }, at, since, passes) {
  for (let n = countUntil(causes, (cause) => cause.at, at) - 1; n >= 0 && causes[n].at >= since; n--) if (passes(causes[n])) return causes[n];
  return null;
}

/** @param {Moment} event @param {Browser} browser @returns {Moment | null} */
function causeByTrace(event, browser) {
  const same = event.trace_key === null ? undefined : browser.traces.get(event.trace_key);
  if (!same) return null;
  const action = same.action === null ? undefined : browser.actions.get(same.action);
  return action ?? lastCause(browser, same.at, -Infinity, (cause) => cause.view === same.view) ?? same;
}

/** @param {Moment} event @returns {boolean} */
const isCause = (event) => event.kind === "view" || event.kind === "action";

/** What in the browser led to an event of the server: the same trace, else the page that was being loaded, else what happened
 * within a second before. @param {Moment} event @param {Browser} browser @returns {Moment | null} */
function causeOf(event, browser) {
  return (
    causeByTrace(event, browser) ??
    causeInLoad(event, browser) ??
    lastCause(browser, event.at, event.at - CAUSE_MS, () => true)
  );
}

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
