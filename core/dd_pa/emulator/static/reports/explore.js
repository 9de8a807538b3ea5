// Explore: how often something happened, over time, by its name or a facet.
import { html, useMemo, useState } from "../vendor/vendor.js";
import { ask, found, requestOf, useAnswer } from "./ask.js";
import { Chart } from "./chart.js";
import { count, moment } from "./times.js";
import { useStore } from "../shared/hooks.js";
import { barSpan, Card, change, Choice, Facets, intervalOf, lastOf, one, Report, Text } from "./report.js";
import { Search, searchFocus } from "../shared/search.js";
import { SeriesTable } from "./seriestable.js";
import { Takeaway } from "./takeaway.js";
import { term, withTerm } from "./terms.js";
import { iso } from "../shared/format.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {{name: string, values: number[], sum: number, rest: boolean, q: string}} Series `q` finds its events; `rest`: all that has no series of its own */
/** @typedef {{q: string, by: string, words: string, times: number[], series: Series[], sum: number, interval: number, running: boolean}} Counts
 * with what was asked for; `sum` is that of all events, `running` says that the last bar is not over yet */

const MOST = 8;
const measures = /** @type {[string, string][]} */ ([["count", "events"], ["@usr.id", "users"], ["@session.id", "sessions"], ["@account.id", "accounts"]]);

/** @param {string} of @param {number} [interval] */
const compute = (of, interval) => ({ ...(of === "count" ? { aggregation: "count" } : { aggregation: "cardinality", metric: of }), ...(interval && { interval }) });

/** Every time that has a bar, those without events too. @param {import("./ask.js").Span} span @param {number} interval @returns {number[]} */
function allTimes({ from, to }, interval) {
  const times = [];
  for (let at = from; at <= to; at += interval) times.push(at);
  return times;
}

/** @param {any} answer @param {number[]} times @returns {{name: string, values: number[]}[]} */
function spread(answer, times) {
  const places = new Map(times.map((at, i) => [at, i]));
  return answer.series.map((/** @type {any} */ series, /** @type {number} */ n) => {
    const values = times.map(() => 0);
    answer.times.forEach((/** @type {number} */ at, /** @type {number} */ i) => {
      const place = places.get(at);
      if (place !== undefined) values[place] = answer.values[n][i] ?? 0;
    });
    return { name: series.group_tags?.[0] ?? "", values };
  });
}

/** @param {any} answer @returns {Map<string, number>} by group; of all under "" */
function sums({ columns }) {
  const names = columns.length > 1 ? columns[0].values : [""];
  return new Map(columns[columns.length - 1].values.map((/** @type {number | null} */ value, /** @type {number} */ n) => [names[n], value ?? 0]));
}

/** @param {{q: string, by: string, of: string, last: string, interval: number}} wanted @param {AbortSignal} signal @returns {Promise<Counts>} */
async function counted({ q, by, of, last, interval }, signal) {
  const span = barSpan(last);
  const times = allTimes(span, interval);
  const whole = by ? withTerm(q, `${by}:*`) : q;
  /** Values of each bar, and the sums, which bars of distinct users do not add up to. @param {string} search @param {boolean} grouped */
  const counts = async (search, grouped) => {
    const query = { query: found(search), compute: compute(of, interval), ...(grouped && { group_by: [{ facet: by, limit: MOST }] }) };
    const answers = ["analytics/timeseries", "analytics/scalar"].map((path) => ask(path, "formula_analytics_extended_request", { ...span, query }, signal));
    const [bars, scalar] = await Promise.all(answers);
    const totals = sums(scalar);
    return spread(bars, times).map((series) => ({ ...series, sum: totals.get(series.name) ?? 0, rest: false, q: grouped ? withTerm(q, term(by, series.name)) : search }));
  };
  const [all, groups] = await Promise.all([counts(whole, false), by ? counts(whole, true) : []]);
  const words = measures.find(([key]) => key === of)?.[1] ?? of;
  const known = { q, by, words, times, interval, sum: all[0]?.sum ?? 0, running: times.length > 0 && times[times.length - 1] + interval > Math.min(span.to, Date.now()) };
  if (!by) return { ...known, series: all.map((series) => ({ ...series, name: "all" })) };
  const series = groups.sort((a, b) => b.sum - a.sum);
  if (series.length < MOST) return { ...known, series };
  // Who is in a group may be in others, too: the rest is asked for, not subtracted.
  const rest = await counts(withTerm(whole, `-(${series.map(({ name }) => term(by, name)).join(" OR ")})`), false);
  return { ...known, series: [...series, ...rest.map((other) => ({ ...other, name: "other", rest: true }))] };
}

/** @param {Counts} counts */
const sheet = ({ times, series }) => [["from", ...series.map(({ name }) => name)], ...times.map((at, i) => [iso(at), ...series.map(({ values }) => values[i])])];

/** The question of the bars, as the API is asked. @param {{q: string, by: string, of: string, last: string, interval: number}} wanted */
const request = ({ q, by, of, last, interval }) =>
  requestOf("analytics/timeseries", "formula_analytics_extended_request", {
    ...barSpan(last),
    query: { query: found(by ? withTerm(q, `${by}:*`) : q), compute: compute(of, interval), ...(by && { group_by: [{ facet: by, limit: MOST }] }) },
  });

/** @param {{page: Page}} props */
export function Explore({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "24h");
  const by = one(place, "by", "@event.name");
  const of = measures.some(([key]) => key === one(place, "of", "count")) ? one(place, "of", "count") : "count";
  const asked = useMemo(() => ({ q: place.q, by: by === "-" ? "" : by, of, last, interval: intervalOf(last) }), [place.q, by, of, last]);
  const answered = useAnswer(JSON.stringify(asked), (signal) => counted(asked, signal));
  const [table, setTable] = useState(false);
  const counts = answered.answer;

  /** Shows the events behind a series, or a time of it. @param {Series | null} series @param {number | null} at */
  const open = (series, at) => {
    if (!counts) return;
    router.go({ path: "/", source: "all", q: series?.q ?? counts.q, from: at ?? counts.times[0], to: (at ?? counts.times[counts.times.length - 1]) + counts.interval, more: {} }, { push: true });
  };
  const controls = html`<${Choice} label="Count" value=${of} options=${measures} onChoose=${(/** @type {string} */ value) => change(page, { of: value === "count" ? null : value })} />
    <${Text} label="By" value=${asked.by} list="explore-facets" placeholder="nothing" onChoose=${(/** @type {string} */ value) => change(page, { by: value || "-" })} />
    <${Facets} id="explore-facets" />`;
  return html`<${Report} page=${page} title="Explore" last=${last} controls=${controls}>
    <${Search} q=${place.q} problem=${null} label="Search events" placeholder="Search: @event.name:checkout.* @plan:pro" onSearch=${(/** @type {string} */ q) => router.go({ q })} />
    <${Card} asked=${answered} empty=${!counts?.series.some((series) => series.sum)} nothing="No event in this time. Choose a longer one, or another search." label="Counts over time">
      ${counts &&
      html`<${Chart} counts=${counts} onTime=${(/** @type {number} */ at) => open(null, at)} />
        <${SeriesTable} counts=${counts} title=${counts.by || "all events"} onOpen=${(/** @type {Series} */ series) => open(series, null)} />
        <p class="card-foot">
          <span class="faint">${count(counts.sum)} ${counts.words} in ${counts.times.length} bars${counts.running && ", the last of which is not over yet"}. Times are UTC.</span>
          <span class="spring"></span><${Takeaway} name="explore" rows=${() => sheet(counts)} request=${request(asked)} /><button type="button" class="plain small" onClick=${() => setTable(!table)}>${table ? "as chart only" : "as table"}</button>
        </p>
        ${table && html`<${TimesTable} counts=${counts} onOpen=${(/** @type {number} */ at) => open(null, at)} />`}`}
    <//>
  <//>`;
}

/** @param {{counts: Counts, onOpen: (at: number) => void}} props */
function TimesTable({ counts, onOpen }) {
  const rows = counts.times.map((at, i) => ({ at, values: counts.series.map((series) => series.values[i]) })).filter(({ values }) => values.some(Boolean));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Counts as a table">
    <table class="figures-table">
      <thead><tr><th scope="col">From</th>${counts.series.map((series) => html`<th scope="col" key=${series.name}>${series.name}</th>`)}</tr></thead>
      <tbody>
        ${rows.map(
          ({ at, values }) => html`<tr key=${at}>
            <th scope="row"><button type="button" class="link" onClick=${() => onOpen(at)}>${moment(at)}</button>${counts.running && at === counts.times[counts.times.length - 1] && html` <span class="faint">so far</span>`}</th>
            ${values.map((value, i) => html`<td key=${i}>${count(value)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const exploreKeys = ({ router }) => [
  { keys: ["/"], what: "search", run: () => searchFocus.current?.() },
  { keys: ["Escape"], shown: ["Esc"], what: "clear the search", run: () => router.go({ q: "" }) },
];
