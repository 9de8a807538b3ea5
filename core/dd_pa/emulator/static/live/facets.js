// The flattened facets of an event, each one click away from being a filter.
import { html, useState } from "../vendor/vendor.js";
import { count } from "../shared/format.js";
import * as icons from "../shared/icons.js";

/** @typedef {import("../shared/api.js").Scalar} Scalar */

const FILTER_FROM = 12;
const MOST = 300;
const LONGEST = 400;

/** @param {Scalar} value @returns {string} */
const shown = (value) => (value === "" ? '""' : String(value));

/** @param {{facets: [string, Scalar][], onFilter: (path: string, value: Scalar, not: boolean) => void}} props */
export function Facets({ facets, onFilter }) {
  const [needle, setNeedle] = useState("");
  const wanted = needle.trim().toLowerCase();
  const found = facets.filter(([path, value]) => `${path} ${value}`.toLowerCase().includes(wanted));
  if (!facets.length) return html`<p class="quiet">This event has no facets: its body could not be read.</p>`;
  return html`<div class="facets">
    ${facets.length >= FILTER_FROM &&
    html`<input
      type="search"
      class="field"
      aria-label="Filter facets"
      placeholder=${`Filter ${count(facets.length)} facets`}
      value=${needle}
      onInput=${(/** @type {InputEvent} */ event) => setNeedle(/** @type {HTMLInputElement} */ (event.target).value)}
    />`}
    <table>
      <thead>
        <tr><th scope="col">Facet</th><th scope="col">Value</th><th scope="col"><span class="unseen">Filter</span></th></tr>
      </thead>
      <tbody>
        ${found.slice(0, MOST).map(([path, value], i) => html`<${FacetRow} key=${i} path=${path} value=${value} onFilter=${onFilter} />`)}
      </tbody>
    </table>
    ${found.length > MOST && html`<p class="quiet">${count(found.length - MOST)} more: filter to find them.</p>`}
    ${!found.length && html`<p class="quiet">No facet contains “${needle}”.</p>`}
  </div>`;
}

/** @param {{path: string, value: Scalar, onFilter: (path: string, value: Scalar, not: boolean) => void}} props */
function FacetRow({ path, value, onFilter }) {
  const text = shown(value);
  const name = path.startsWith("@") ? path : `@${path}`;
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return html`<tr>
    <td class="path">${name}</td>
    <td>${cut}</td>
    <td class="acts">
      <button type="button" class="act" aria-label=${`Only ${name} ${cut}`} title="Only events with this value" onClick=${() => onFilter(path, value, false)}>
        ${icons.plus}
      </button>
      <button type="button" class="act" aria-label=${`Not ${name} ${cut}`} title="Only events without this value" onClick=${() => onFilter(path, value, true)}>
        ${icons.minus}
      </button>
    </td>
  </tr>`;
}
