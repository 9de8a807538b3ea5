// Retention: who comes back, by the week (or day, or month) in which they were first seen.
import { html } from "../vendor/vendor.js";
import { ask, found, requestOf, useAnswer } from "./ask.js";
import { audience, Audience, whoOf } from "./audience.js";
import { noteOf, retentionCopies } from "./copyas.js";
import { count, iso } from "../shared/format.js";
import { searchOf, written } from "./steps.js";
import { frequentNames } from "./stepseditor.js";
import { Takeaway } from "./takeaway.js";
import { useStore } from "../shared/hooks.js";
import { People } from "./people.js";
import { Card, change, Choice, lastOf, one, Report, spanOf, Text } from "./report.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {{came: number, rate: number, partial: boolean}} Cell */
/** @typedef {{start: number, size: number, index: number, cells: (Cell | null)[]}} Cohort */
/** @typedef {{first: string, back: string, key: string, unit: string, who: string, last: string}} Wanted */

const MOST_SHOWN = 200;
/** @type {Record<string, {key: string, words: string}>} */
const entities = { users: { key: "@usr.id", words: "Users" }, accounts: { key: "@account.id", words: "Accounts" } };
const units = /** @type {[string, string][]} */ ([["day", "days"], ["week", "weeks"], ["month", "months"]]);

/** @param {Wanted} wanted */
const search = ({ first, back, key, unit, who }) => ({
  cohort_criteria: { base_query: found(first), time_interval: { type: "calendar", value: { type: unit } } },
  retention_entity: key,
  return_condition: "conversion_on",
  return_criteria: { base_query: found(back || first) },
  ...(who && { filters: audience(who) }),
});

/** @param {Wanted} wanted @returns {[string, string, Record<string, unknown>]} */
function question(wanted) {
  const query = { search: search(wanted), compute: { metric: "__dd.retention_rate", aggregation: "count" } };
  return ["retention/grid", "retention_grid_request", { ...spanOf(wanted.last), query }];
}

/** @param {Cohort[]} cohorts */
function sheet(cohorts) {
  const width = Math.max(0, ...cohorts.map(({ cells }) => cells.length));
  const heads = ["first", "size", ...Array.from({ length: width }, (_, n) => `came back in ${n + 1}`)];
  return [heads, ...cohorts.map(({ start, size, cells }) => [iso(start), size, ...cells.map((cell) => cell?.came ?? "")])];
}

/** @param {Wanted} wanted @param {AbortSignal} signal @returns {Promise<Cohort[]>} */
async function grid(wanted, signal) {
  const answer = await ask(...question(wanted), signal);
  return answer.cohorts
    .filter((/** @type {any} */ cohort) => cohort.type === "raw")
    .map((/** @type {any} */ cohort) => ({
      start: cohort.cohort_start_time,
      size: cohort.cohort_size,
      index: cohort.cohort_index,
      cells: cohort.cells.slice(1).map((/** @type {any} */ cell) => (cell.cell_rate === null ? null : { came: cell.cell_count, rate: cell.cell_rate, partial: cell.is_partial_data })),
    }));
}

/** @param {Wanted} wanted @param {number} cohort @param {number} period @param {number} limit 0 for all @param {AbortSignal} [signal] */
async function members(wanted, cohort, period, limit, signal) {
  const attributes = {
    ...spanOf(wanted.last),
    query: {
      search: search(wanted),
      computation_scope: { type: "cell", cohort_target: { type: "index", value: cohort }, return_period_target: { type: "index", value: period } },
      columns: [{ field: { path: wanted.key } }],
      limit,
    },
  };
  const answer = await ask("retention/list", "retention_list_request", attributes, signal);
  return { total: answer.records.length, records: answer.records };
}

/** @param {number} ms @param {string} unit @returns {string} */
const named = (ms, unit) => new Date(ms).toLocaleDateString("en-GB", unit === "month" ? { month: "short", year: "numeric", timeZone: "UTC" } : { day: "numeric", month: "short", timeZone: "UTC" });

/** @param {{cohorts: Cohort[], words: string, unit: string, chosen: string, onCell: (cell: string) => void}} props */
function Grid({ cohorts, words, unit, chosen, onCell }) {
  const periods = Math.max(0, ...cohorts.map((cohort) => cohort.cells.length));
  const title = unit[0].toUpperCase() + unit.slice(1);
  return html`<div class="wide" tabindex="0" role="region" aria-label="Who came back">
    <table class="retention">
      <thead>
        <tr>
          <th scope="col">First ${unit}</th><th scope="col">${words}</th>
          ${Array.from({ length: periods }, (_, n) => html`<th scope="col" key=${n}>${title} ${n + 1}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${cohorts.map(
          (cohort) => html`<tr key=${cohort.start}>
            <th scope="row">${named(cohort.start, unit)}</th>
            <td class="size">${count(cohort.size)}</td>
            ${Array.from({ length: periods }, (_, n) => {
              const cell = cohort.cells[n];
              if (!cell || !cohort.size) return html`<td class="none" key=${n}><span class="unseen">not yet</span></td>`;
              const percent = Math.round(100 * cell.rate);
              const id = `${cohort.index}.${n + 1}`;
              return html`<td key=${n} class=${cell.partial ? "so-far" : ""} style=${{ "--share": `${Math.min(55, 4 + 0.75 * percent)}%` }}>
                ${cell.came
                  ? html`<button
                      type="button"
                      aria-pressed=${chosen === id}
                      title=${`${count(cell.came)} of ${count(cohort.size)}${cell.partial ? ", so far" : ""}`}
                      onClick=${() => onCell(id)}
                    >
                      ${percent}%
                    </button>`
                  : html`<span title=${cell.partial ? "so far" : ""}>0%</span>`}
              </td>`;
            })}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Searches for what happened most, to choose from while typing. @param {{last: string}} props */
function Searches({ last }) {
  const { answer } = useAnswer(last, (signal) => frequentNames(last, signal));
  const steps = /** @type {const} */ (["event", "page"]).flatMap((kind) => (answer?.[kind] ?? []).map((text) => ({ kind, text })));
  return html`<datalist id="retention-searches">${steps.map((step) => html`<option key=${written(step)} value=${searchOf(step)}></option>`)}</datalist>`;
}

/** @param {{page: Page}} props */
export function Retention({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "30d");
  const by = one(place, "by", "users") in entities ? one(place, "by", "users") : "users";
  const unit = units.some(([key]) => key === one(place, "unit", "week")) ? one(place, "unit", "week") : "week";
  const { key, words } = entities[by];
  const wanted = { first: one(place, "first", ""), back: one(place, "back", ""), key, unit, who: whoOf(place), last };
  const asked = useAnswer(JSON.stringify(wanted), (signal) => grid(wanted, signal));
  const cohorts = (asked.answer ?? []).filter((cohort) => cohort.size > 0);
  const chosen = /^\d+\.\d+$/.test(one(place, "cell", "")) ? one(place, "cell", "") : "";
  const [cohort, period] = chosen.split(".").map(Number);
  const people = useAnswer(JSON.stringify([wanted, chosen]), (signal) =>
    chosen ? members(wanted, cohort, period, MOST_SHOWN, signal) : Promise.resolve({ total: 0, records: [] }),
  );
  const controls = html`<${Choice} label="Who" value=${by} options=${Object.entries(entities).map(([name, entity]) => [name, entity.words.toLowerCase()])} onChoose=${(/** @type {string} */ value) => change(page, { by: value === "users" ? null : value, cell: null })} />
    <${Choice} label="In" value=${unit} options=${units} onChoose=${(/** @type {string} */ value) => change(page, { unit: value === "week" ? null : value, cell: null })} />
    <${Text} label="First did" value=${wanted.first} list="retention-searches" placeholder="anything" onChoose=${(/** @type {string} */ value) => change(page, { first: value, cell: null })} />
    <${Text} label="Came back to" value=${wanted.back} list="retention-searches" placeholder="the same" onChoose=${(/** @type {string} */ value) => change(page, { back: value, cell: null })} />
    <${Audience} page=${page} />
    <${Searches} last=${last} />`;
  const shown = cohorts.find((each) => each.index === cohort);
  // The list is of the first of them; the cell knows how many there are.
  const came = shown?.cells[period - 1]?.came ?? 0;
  const listed = people.answer && { ...people, answer: { ...people.answer, total: Math.max(came, people.answer.records.length) } };
  return html`<${Report} page=${page} title="Retention" last=${last} controls=${controls}>
    <${Card} asked=${asked} empty=${cohorts.length === 0} nothing=${`No ${by} in this time. Choose a longer one, or another first event.`} label="Retention">
      <${Grid} cohorts=${cohorts} words=${words} unit=${unit} chosen=${chosen} onCell=${(/** @type {string} */ cell) => change(page, { cell }, { push: true })} />
      <p class="card-foot"><span class="faint">Counted from the first event in this time, in UTC${cohorts.some((each) => each.cells.some((cell) => cell?.partial)) ? "; what is not over yet has a dashed line" : ""}.</span><span class="spring"></span>
        <${Takeaway} name="retention" rows=${() => sheet(cohorts)} request=${requestOf(...question(wanted))} copies=${() => retentionCopies(wanted, requestOf(...question(wanted)))} note=${noteOf(wanted.who)} /></p>
    <//>
    ${chosen &&
    html`<${People}
      page=${page}
      asked=${listed ?? people}
      title=${`${words}${shown ? ` first seen ${named(shown.start, unit)},` : ""} back in ${unit} ${period}`}
      entity=${key}
      most=${Infinity}
      all=${async () => (await members(wanted, cohort, period, 0)).records}
      onClose=${() => router.leave({ more: { ...place.more, cell: [] } })}
    />`}
  <//>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const retentionKeys = (page) => [{ keys: ["Escape"], shown: ["Esc"], what: "close the list", run: () => change(page, { cell: null }) }];
