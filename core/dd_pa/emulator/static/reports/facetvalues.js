// Which values a facet has among the events of a search, and how often: each one click away from being a filter.
import { html, useState } from "../vendor/vendor.js";
import { ask, found, useAnswer } from "./ask.js";
import { Facets, Text } from "./report.js";
import { term, withTerm } from "./terms.js";
import { Dialog } from "../shared/dialog.js";
import { count } from "../shared/format.js";
import * as icons from "../shared/icons.js";

/** @typedef {[value: string, events: number][]} Values */
/** @typedef {{q: string, among?: string, span: () => import("./ask.js").Span, onSearch: (q: string) => void}} Of `among`: a search that narrows what is counted, besides what is written */

const MOST = 50;

/** @param {string} facet @param {Of} of @param {AbortSignal} signal @returns {Promise<Values>} */
async function values(facet, { q, among, span }, signal) {
  const query = { query: found(withTerm(q, [among, `${facet}:*`].filter(Boolean).join(" "))), compute: { aggregation: "count" }, group_by: [{ facet, limit: MOST, should_exclude_missing: true }] };
  const { columns } = await ask("analytics/scalar", "formula_analytics_extended_request", { ...span(), query }, signal);
  return columns.length < 2 ? [] : columns[0].values.map((/** @type {string} */ value, /** @type {number} */ n) => [value, columns[1].values[n]]);
}

/** @param {Of & {onClose: () => void}} props */
function Values({ onClose, ...of }) {
  const { q, onSearch } = of;
  const [facet, setFacet] = useState("@event.name");
  const { answer, problem } = useAnswer(JSON.stringify([facet, q, of.among]), (signal) => (facet ? values(facet, of, signal) : Promise.resolve([])));
  const most = Math.max(1, ...(answer ?? []).map(([, events]) => events));
  /** @param {string} value @param {boolean} not */
  const filter = (value, not) => onSearch(withTerm(q, term(facet, value), not));
  return html`<${Dialog} title="Values of a facet" onClose=${onClose}>
    <${Text} label="Facet" value=${facet} list="values-facets" placeholder="@event.name" onChoose=${(/** @type {string} */ path) => setFacet(!path || path.startsWith("@") ? path : `@${path}`)} />
    <${Facets} id="values-facets" />
    ${problem && html`<p class="bad" role="alert">${problem.message}</p>`}
    ${answer && answer.length === 0 && html`<p class="quiet">No event of this search and time has this facet.</p>`}
    ${answer &&
    answer.length > 0 &&
    html`<div class="values"><table class="legend">
      <thead><tr><th scope="col">Value</th><th scope="col">Events</th><th class="share-head"><span class="unseen">Share</span></th><th scope="col"><span class="unseen">Filter</span></th></tr></thead>
      <tbody>
        ${answer.map(
          ([value, events]) => html`<tr key=${value}>
            <th scope="row" class="mono" title=${value}>${value}</th><td>${count(events)}</td>
            <td class="share"><span class="share-bar s0" style=${{ width: `${(100 * events) / most}%` }}></span></td>
            <td class="acts">
              <button type="button" class="act" aria-label=${`Only ${facet} ${value}`} title="Only events with this value" onClick=${() => filter(value, false)}>${icons.plus}</button>
              <button type="button" class="act" aria-label=${`Not ${facet} ${value}`} title="Only events without this value" onClick=${() => filter(value, true)}>${icons.minus}</button>
            </td>
          </tr>`,
        )}
      </tbody>
    </table></div>
    <p class="quiet">${answer.length < MOST ? `${count(answer.length)} of them` : `The ${MOST} most frequent`}, of the events that the search finds in this time.</p>`}
  <//>`;
}

/** The button beside a search. @param {Of} props */
export function FacetValues(props) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="button" title="The values of a facet, to filter by" onClick=${() => setOpen(true)}>${icons.table}<span class="label">Facets</span></button>
    ${open && html`<${Values} ...${props} onClose=${() => setOpen(false)} />`}`;
}
