// Explore: how often something happened, or how large it was, over time, by its name or a facet.
import { html, useMemo, useState } from "../vendor/vendor.js";
import { useAnswer } from "./ask.js";
import { Audience, searchOfMembers, whoOf } from "./audience.js";
import { exploreCopies, noteOf } from "./copyas.js";
import { Chart, isStacked } from "./chart.js";
import { counted, request } from "./counts.js";
import { dayOf, moment } from "./times.js";
import { useStore } from "../shared/hooks.js";
import { choices, isOfFacet, measureOf, writerOf, written } from "./measures.js";
import { Card, change, Choice, Facets, hasWeeks, intervalOf, lastOf, one, Report, spanOf, Text } from "./report.js";
import { Search, searchFocus } from "../shared/search.js";
import { SeriesTable } from "./seriestable.js";
import { Takeaway } from "./takeaway.js";
import { withTerm } from "./terms.js";
import { toast } from "../shared/announce.js";
import { iso, MISSING } from "../shared/format.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("./counts.js").Counts} Counts */
/** @typedef {import("./counts.js").Series} Series */
/** @typedef {import("./counts.js").Wanted} Wanted */

const DAY = 86_400_000;
const WEEKS = "Datadog's API has no weeks that begin on Monday: this is of the days.";

/** @param {Counts} counts */
function sheet({ times, series, past }) {
  const heads = ["from", ...series.map(({ name }) => name), ...(past ? ["the time before"] : [])];
  return [heads, ...times.map((at, i) => [iso(at), ...series.map(({ values }) => values[i]), ...(past ? [past[i]] : [])])];
}

/** The number of all, with what it is: `9,066 events`, `median of @order.total 89`. @param {Counts} counts @returns {string} */
function told({ sum, words, wanted: { measure } }) {
  const number = sum === null ? MISSING : writerOf(measure)(sum);
  return isOfFacet(measure) ? `${words} ${number}` : `${number} ${words}`;
}

/** @param {{page: Page, wanted: Wanted}} props */
const Controls = ({ page, wanted: { measure, by, last, weekly, compared } }) => html`<${Choice}
    label="Count"
    value=${measure.name}
    options=${choices}
    onChoose=${(/** @type {string} */ name) => change(page, { of: written({ name, facet: isOfFacet(measure) ? measure.facet : "" }) })}
  />
  ${isOfFacet(measure) && html`<${Text} label="Facet" value=${measure.facet} list="explore-facets" placeholder="@order.total" onChoose=${(/** @type {string} */ facet) => change(page, { of: written({ ...measure, facet }) })} />`}
  <${Text} label="By" value=${by} list="explore-facets" placeholder="nothing" onChoose=${(/** @type {string} */ value) => change(page, { by: value || "-" })} />
  ${hasWeeks(last) && html`<${Choice} label="Bars" value=${weekly ? "week" : ""} options=${[["", "days"], ["week", "weeks"]]} onChoose=${(/** @type {string} */ value) => change(page, { bars: value })} />`}
  <${Choice} label="Compare" value=${compared ? "before" : ""} options=${[["", "nothing"], ["before", "the time before"]]} onChoose=${(/** @type {string} */ value) => change(page, { compare: value })} />
  <${Audience} page=${page} />
  <${Facets} id="explore-facets" />`;

/** @param {{counts: Counts}} props */
const Releases = ({ counts: { releases, interval } }) => html`<p class="releases"><span class="faint">Went out:</span>
  ${releases.map(({ at, name }) => html`<span key=${`${at} ${name}`}><i class="release-mark" aria-hidden="true"></i>${interval < DAY ? moment(at) : dayOf(at)} <b class="mono">${name}</b></span>`)}</p>`;

/** @param {{page: Page}} props */
export function Explore({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "24h");
  const who = whoOf(place);
  const [by, of, compare] = [one(place, "by", "@event.name"), one(place, "of", "count"), one(place, "compare", "")];
  const weekly = one(place, "bars", "") === "week" && hasWeeks(last);
  /** @type {Wanted} */
  const wanted = useMemo(
    () => ({ q: place.q, who, by: by === "-" ? "" : by, measure: measureOf(of), last, interval: intervalOf(last), weekly, compared: compare === "before" }),
    [place.q, who, by, of, last, weekly, compare],
  );
  const unnamed = isOfFacet(wanted.measure) && !wanted.measure.facet;
  const answered = useAnswer(JSON.stringify(wanted), (signal) => (unnamed ? Promise.resolve(null) : counted(wanted, signal)));
  const [table, setTable] = useState(false);
  const counts = answered.answer;
  const needed = [wanted.measure.facet, wanted.by].filter(Boolean).join(" and ");
  const nothing = unnamed ? "Name the facet whose numbers are meant: @order.total." : `No event ${needed && `with ${needed} `}in this time. Choose a longer one, or another search.`;

  /** Shows the events behind a series, or a time of it. @param {Series | null} series @param {number | null} at */
  const open = async (series, at) => {
    if (!counts) return;
    const q = series?.q ?? counts.q;
    const from = at ?? counts.times[0], to = (at ?? counts.times[counts.times.length - 1]) + counts.interval;
    const only = who ? await searchOfMembers(who, q, { from, to: to - 1 }).catch(() => null) : "";
    if (only === null) toast.say("The list is everybody's: the people of this report are too many for a search", 6_000);
    router.go({ path: "/", source: "all", q: only ? withTerm(q, only) : q, from, to, more: {} }, { push: true });
  };
  return html`<${Report} page=${page} title="Explore" last=${last} controls=${html`<${Controls} page=${page} wanted=${wanted} />`}>
    <${Search} q=${place.q} problem=${null} label="Search events" placeholder="Search: @event.name:checkout.* @plan:pro" span=${() => spanOf(last)} onSearch=${(/** @type {string} */ q) => router.go({ q })} />
    ${unnamed
      ? html`<p class="card card-empty">${nothing}</p>`
      : html`<${Card} asked=${answered} empty=${!counts?.series.some((series) => series.sum !== null && (series.sum !== 0 || series.before))} nothing=${nothing} label="Counts over time">
      ${counts &&
      html`<${Chart} counts=${counts} onTime=${(/** @type {number} */ at) => open(null, at)} />
        ${counts.releases.length > 0 && html`<${Releases} counts=${counts} />`}
        <${SeriesTable} counts=${counts} title=${counts.wanted.by || "all events"} onOpen=${(/** @type {Series} */ series) => open(series, null)} />
        <p class="card-foot">
          <span class="faint">${told(counts)} in ${counts.times.length} ${isStacked(counts) ? "bars" : "points"}${counts.running && ", the last of which is not over yet"}. Times are UTC.</span>
          <span class="spring"></span><${Takeaway} name="explore" rows=${() => sheet(counts)} request=${request(wanted)} copies=${() => exploreCopies(wanted, request(wanted), counts.sum)} note=${noteOf(who, weekly ? WEEKS : "")} /><button type="button" class="plain small" onClick=${() => setTable(!table)}>${table ? "as chart only" : "as table"}</button>
        </p>
        ${table && html`<${TimesTable} counts=${counts} onOpen=${(/** @type {number} */ at) => open(null, at)} />`}`}
    <//>`}
  <//>`;
}

/** @param {{counts: Counts, onOpen: (at: number) => void}} props */
function TimesTable({ counts, onOpen }) {
  const show = writerOf(counts.wanted.measure);
  const rows = counts.times.map((at, i) => ({ at, values: counts.series.map((series) => series.values[i]) })).filter(({ values }) => values.some((value) => value !== null && value !== 0));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Counts as a table">
    <table class="figures-table">
      <thead><tr><th scope="col">From</th>${counts.series.map((series) => html`<th scope="col" key=${series.name}>${series.name}</th>`)}</tr></thead>
      <tbody>
        ${rows.map(
          ({ at, values }) => html`<tr key=${at}>
            <th scope="row"><button type="button" class="link" onClick=${() => onOpen(at)}>${moment(at)}</button>${counts.running && at === counts.times[counts.times.length - 1] && html` <span class="faint">so far</span>`}</th>
            ${values.map((value, i) => html`<td key=${i}>${value === null ? MISSING : show(value)}</td>`)}
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
