// What in the browser led to an event of the server.
import { nanoseconds, text } from "./members.js";

/** @typedef {import("../shared/api.js").Moment} Moment */

const CAUSE_MS = 1_000;
const CLICK_TO_PAGE_MS = 1_000;
const CLOCK_MS = 50;

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
export function browserOf(events) {
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
export function causeOf(event, browser) {
  return (
    causeByTrace(event, browser) ??
    causeInLoad(event, browser) ??
    lastCause(browser, event.at, event.at - CAUSE_MS, () => true)
  );
}
