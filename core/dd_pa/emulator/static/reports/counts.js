// The numbers of Explore: of each bar and of the whole time, by group, beside those of the time before, and what went out.
import { ask, found, requestOf } from "./ask.js";
import { audience } from "./audience.js";
import { compute, isCount, wordsOf } from "./measures.js";
import { barSpan, WEEK, weekSpan } from "./report.js";
import { term, withTerm } from "./terms.js";

/** @typedef {import("./ask.js").Span} Span */
/** @typedef {import("./measures.js").Measure} Measure */
/** @typedef {number | null} Value null where nothing is */
/** @typedef {{name: string, values: Value[], sum: Value, before: Value, rest: boolean, q: string}} Series
 * `q` finds its events; `rest`: all that has no series of its own; `sum` and `before` are of all bars, in this time and the one before */
/** @typedef {{at: number, name: string}} Release */
/** @typedef {{q: string, who: string, by: string, measure: Measure, last: string, interval: number, weekly: boolean, compared: boolean}} Wanted
 * `interval` is that of bars; with `weekly` they are weeks from Monday on, and it is that of the days they have */
/** @typedef {{wanted: Wanted, q: string, words: string, times: number[], interval: number, series: Series[], sum: Value, before: Value, past: Value[] | null,
 *   releases: Release[], running: boolean}} Counts
 * `sum` is that of all events, `past` what each bar was in the time before, null where nothing was, `running` says that the last bar is not over yet */

const MOST = 8;
const MOST_BEFORE = 1_000;
const MOST_VERSIONS = 50;
const PATH = "analytics/", TYPE = "formula_analytics_extended_request";

/** Every time that has a bar, those without events too. @param {Span} span @param {number} interval @returns {number[]} */
function allTimes({ from, to }, interval) {
  const times = [];
  for (let at = from; at <= to; at += interval) times.push(at);
  return times;
}

/** @param {any} answer @param {number[]} times @param {Value} nothing @returns {{name: string, values: Value[]}[]} */
function spread(answer, times, nothing) {
  const places = new Map(times.map((at, i) => [at, i]));
  return answer.series.map((/** @type {any} */ series, /** @type {number} */ n) => {
    const values = times.map(() => nothing);
    answer.times.forEach((/** @type {number} */ at, /** @type {number} */ i) => {
      const place = places.get(at);
      if (place !== undefined) values[place] = answer.values[n][i] ?? nothing;
    });
    return { name: series.group_tags?.join(" ") ?? "", values };
  });
}

/** @param {any} answer @returns {Map<string, Value>} by group; of all under "" */
function sums({ columns }) {
  const names = columns.length > 1 ? columns[0].values : [""];
  return new Map(columns[columns.length - 1].values.map((/** @type {Value} */ value, /** @type {number} */ n) => [names[n], value]));
}

/** The question of the bars, as the API is asked. @param {Wanted} wanted */
export function request({ q, who, by, measure, last, interval, weekly }) {
  const query = { query: found(by ? withTerm(q, `${by}:*`) : q), compute: compute(measure, interval), ...(by && { group_by: [{ facet: by, limit: MOST }] }), ...audience(who) };
  return requestOf(`${PATH}timeseries`, TYPE, { ...(weekly ? weekSpan(last) : barSpan(last)), query });
}

/** What goes out during a time: of each service, another version has most events. @param {Span} span @param {number[]} times @param {number} interval
 * @param {AbortSignal} signal @returns {Promise<Release[]>} */
async function releasesIn(span, times, interval, signal) {
  const group_by = ["@service", "@version"].map((facet) => ({ facet, limit: MOST_VERSIONS }));
  const query = { query: found("@version:*"), compute: compute({ name: "count", facet: "" }, interval), group_by };
  const answer = await ask(`${PATH}timeseries`, TYPE, { ...span, query }, signal);
  /** @type {Map<string, Map<string, Value[]>>} */
  const services = new Map();
  answer.series.forEach((/** @type {any} */ series, /** @type {number} */ n) => {
    const [service, version] = series.group_tags;
    const [{ values }] = spread({ ...answer, series: [series], values: [answer.values[n]] }, times, 0);
    services.set(service, (services.get(service) ?? new Map()).set(version, values));
  });
  /** @type {Release[]} */
  const releases = [];
  for (const [service, versions] of services) {
    let known = "";
    for (let i = 0; i < times.length; i++) {
      const [leader, most] = [...versions].reduce((best, [version, values]) => ((values[i] ?? 0) > best[1] ? [version, values[i] ?? 0] : best), /** @type {[string, number]} */ (["", 0]));
      if (!most) continue;
      // It went out when it was first seen, which may be a bar before most events are of it.
      let first = i;
      while (first > 0 && versions.get(leader)?.[first - 1]) first--;
      if (known && leader !== known) releases.push({ at: times[first], name: service === "N/A" ? leader : `${service} ${leader}` });
      known = leader;
    }
  }
  return releases.sort((a, b) => a.at - b.at);
}

/** @param {Wanted} wanted @param {AbortSignal} signal @returns {Promise<Counts>} */
export async function counted(wanted, signal) {
  const { q, who, by, measure, last, weekly, compared } = wanted;
  const span = weekly ? weekSpan(last) : barSpan(last), interval = weekly ? WEEK : wanted.interval;
  const times = allTimes(span, interval);
  const nothing = isCount(measure) ? 0 : null;
  const length = times.length * interval;
  const former = { from: span.from - length, to: span.to - length };
  const whole = by ? withTerm(q, `${by}:*`) : q;
  /** @param {string} path @param {Span} time @param {string} search @param {number} [groups] */
  const asked = (path, time, search, groups) =>
    ask(PATH + path, TYPE, { ...time, query: { query: found(search), compute: compute(measure, interval), ...(groups && { group_by: [{ facet: by, limit: groups }] }), ...audience(who) } }, signal);
  /** @param {string} search @param {number} [groups] @returns {Promise<Map<string, Value>>} */
  const earlier = async (search, groups) => (compared ? sums(await asked("scalar", former, search, groups && MOST_BEFORE)) : new Map());
  /** Weeks of the API begin on Thursdays, as the epoch did, and days of distinct users do not add up to a week: each week is asked for.
   * @param {Span} time @param {string} search @param {number} [groups] @returns {Promise<{name: string, values: Value[]}[]>} */
  const weeks = async (time, search, groups) => {
    const names = [...sums(await asked("scalar", time, search, groups)).keys()];
    if (!names.length) return [];
    const only = groups ? withTerm(search, `(${names.map((name) => term(by, name)).join(" OR ")})`) : search;
    /** @type {Map<string, Value>[]} */
    const each = [];
    for (const from of allTimes(time, WEEK)) each.push(sums(await asked("scalar", { from, to: Math.min(from + WEEK - 1, time.to) }, only, groups && MOST_BEFORE)));
    return names.map((name) => ({ name, values: each.map((week) => week.get(name) ?? nothing) }));
  };
  /** @param {Span} time @param {string} search @param {number} [groups] @returns {Promise<{name: string, values: Value[]}[]>} */
  const bars = async (time, search, groups) =>
    weekly ? weeks(time, search, groups) : spread(await asked("timeseries", time, search, groups), allTimes(time, interval), nothing);
  /** Values of each bar, and the sums, which bars of distinct users do not add up to. @param {string} search @param {number} [groups] @returns {Promise<Series[]>} */
  const counts = async (search, groups) => {
    const [values, scalar, before] = await Promise.all([bars(span, search, groups), asked("scalar", span, search, groups), earlier(search, groups)]);
    const totals = sums(scalar);
    return values.map((series) => ({
      ...series,
      sum: totals.get(series.name) ?? nothing,
      before: before.get(series.name) ?? nothing,
      rest: false,
      q: groups ? withTerm(q, term(by, series.name)) : search,
    }));
  };
  const past = async () => {
    const values = (await bars(former, whole))[0]?.values;
    return values?.some((value) => value) ? values : null;
  };
  const [all, groups, releases, before] = await Promise.all([counts(whole), by ? counts(whole, MOST) : [], releasesIn(span, allTimes(span, wanted.interval), wanted.interval, signal), compared ? past() : null]);
  const running = times.length > 0 && times[times.length - 1] + interval > Math.min(span.to + 1, Date.now());
  const known = { wanted, q, words: wordsOf(measure), times, interval, running, releases, past: before, sum: all[0]?.sum ?? nothing, before: all[0]?.before ?? nothing };
  if (!by) return { ...known, series: all.map((series) => ({ ...series, name: "all" })) };
  const series = groups.sort((a, b) => (b.sum ?? -Infinity) - (a.sum ?? -Infinity));
  if (series.length < MOST) return { ...known, series };
  // Who is in a group may be in others, too: the rest is asked for, not subtracted.
  const rest = await counts(withTerm(whole, `-(${series.map(({ name }) => term(by, name)).join(" OR ")})`));
  return { ...known, series: [...series, ...rest.map((other) => ({ ...other, name: "other", rest: true }))] };
}
