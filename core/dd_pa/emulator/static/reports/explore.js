// Explore: how often something happened, over time, by its name or a facet.
import { html, useMemo, useState } from "../vendor/vendor.js";
import { ask, found, useAnswer } from "./ask.js";
import { Chart } from "./chart.js";
import { count } from "../shared/format.js";
import { useStore } from "../shared/hooks.js";
import { Card, change, Choice, Facets, lastOf, one, Report, spanOf, spans, Text } from "./report.js";
import { Search, searchFocus } from "../shared/search.js";
import { SeriesTable } from "./seriestable.js";
import { term, withTerm } from "./terms.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {{name: string, values: number[], sum: number, rest: boolean}} Series `rest`: all that has no series of its own */
/** @typedef {{q: string, by: string, times: number[], series: Series[], interval: number}} Counts with what was asked for */

const MOST = 8;
const measures = /** @type {[string, string][]} */ ([["count", "events"], ["@usr.id", "users"], ["@session.id", "sessions"], ["@account.id", "accounts"]]);

/** @param {string} of @param {number} [interval] */
const compute = (of, interval) => ({ ...(of === "count" ? { aggregation: "count" } : { aggregation: "cardinality", metric: of }), ...(interval && { interval }) });

/** Every time that has a bar, those without events too. @param {import("./ask.js").Span} span @param {number} interval @returns {number[]} */
function allTimes({ from, to }, interval) {
  const times = [];
  for (let at = Math.floor(from / interval) * interval; at <= to; at += interval) times.push(at);
  return times;
}

/** @param {any} answer @param {number[]} times @returns {{name: string, values: number[], sum: number}[]} */
function spread(answer, times) {
  const places = new Map(times.map((at, i) => [at, i]));
  return answer.series.map((/** @type {any} */ series, /** @type {number} */ n) => {
    const values = times.map(() => 0);
    answer.times.forEach((/** @type {number} */ at, /** @type {number} */ i) => {
      const place = places.get(at);
      if (place !== undefined) values[place] = answer.values[n][i] ?? 0;
    });
    return { name: series.group_tags?.[0] ?? "", values, sum: values.reduce((sum, value) => sum + value, 0) };
  });
}

/** @param {{q: string, by: string, of: string, last: string, interval: number}} wanted @param {AbortSignal} signal @returns {Promise<Counts>} */
async function counted({ q, by, of, last, interval }, signal) {
  const span = spanOf(last);
  const times = allTimes(span, interval);
  const type = "formula_analytics_extended_request";
  /** @param {boolean} grouped */
  const query = (grouped) => ({ query: found(by ? withTerm(q, `${by}:*`) : q), compute: compute(of, interval), ...(grouped && { group_by: [{ facet: by, limit: MOST }] }) });
  const seriesOf = async (/** @type {boolean} */ grouped) => spread(await ask("analytics/timeseries", type, { ...span, query: query(grouped) }, signal), times);
  const [all, groups] = await Promise.all([seriesOf(false), by ? seriesOf(true) : []]);
  if (!by) return { q, by, times, interval, series: all.map((series) => ({ ...series, name: "all", rest: false })) };
  const series = groups.map((group) => ({ ...group, rest: false })).sort((a, b) => b.sum - a.sum);
  // Distinct users of two groups may be the same ones: only events can be subtracted.
  const left = of === "count" && all[0] ? all[0].values.map((value, i) => Math.max(0, value - groups.reduce((sum, group) => sum + group.values[i], 0))) : [];
  const sum = left.reduce((total, value) => total + value, 0);
  return { q, by, times, interval, series: sum ? [...series, { name: "other", values: left, sum, rest: true }] : series };
}

/** @param {{page: Page}} props */
export function Explore({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "24h");
  const by = one(place, "by", "@event.name");
  const of = measures.some(([key]) => key === one(place, "of", "count")) ? one(place, "of", "count") : "count";
  const asked = useMemo(() => ({ q: place.q, by: by === "-" ? "" : by, of, last, interval: spans[last].interval }), [place.q, by, of, last]);
  const answered = useAnswer(JSON.stringify(asked), (signal) => counted(asked, signal));
  const [table, setTable] = useState(false);
  const counts = answered.answer;

  /** Shows the events behind a series, or a time of it. @param {Series | null} series @param {number | null} at */
  const open = (series, at) => {
    if (!counts) return;
    const q = series && !series.rest && counts.by ? withTerm(counts.q, term(counts.by, series.name)) : counts.q;
    router.go({ path: "/", q, from: at, to: at === null ? null : at + counts.interval, more: {} }, { push: true });
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
          <span class="faint">${count(counts.series.reduce((sum, series) => sum + series.sum, 0))} in ${counts.times.length} bars</span>
          <span class="spring"></span><button type="button" class="plain small" onClick=${() => setTable(!table)}>${table ? "as chart only" : "as table"}</button>
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
            <th scope="row"><button type="button" class="link" onClick=${() => onOpen(at)}>${new Date(at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}</button></th>
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
