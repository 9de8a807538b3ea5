// The legend of a chart: a table with the sum of each series, which opens its events.
import { html } from "../vendor/vendor.js";
import { MISSING } from "../shared/format.js";
import { writerOf } from "./measures.js";

/** @typedef {import("./counts.js").Counts} Counts */
/** @typedef {import("./counts.js").Series} Series */

/** `+12%`, or what there is to say without a percentage. @param {Series} series @returns {string} */
function changed({ sum, before }) {
  if (before === null || sum === null) return MISSING;
  if (before === 0) return sum === 0 ? "±0%" : "new";
  const percent = Math.round((100 * (sum - before)) / Math.abs(before));
  return percent > 0 ? `+${percent}%` : percent < 0 ? `−${-percent}%` : "±0%";
}

/** @param {{counts: Counts, title: string, onOpen: (series: Series) => void}} props */
export function SeriesTable({ counts, title, onOpen }) {
  const { wanted, series: all, words } = counts;
  const write = writerOf(wanted.measure);
  const most = Math.max(1e-9, ...all.map((series) => series.sum ?? 0));
  /** @param {number | null} value */
  const shown = (value) => (value === null ? MISSING : write(value));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Numbers">
    <table class="legend">
      <thead><tr><th scope="col" class="mono">${title}</th><th scope="col">${words}</th>${wanted.compared && html`<th scope="col">before</th><th scope="col">change</th>`}<th class="share-head"><span class="unseen">Share</span></th></tr></thead>
      <tbody>
        ${all.map(
          (series, i) => html`<tr key=${series.name}>
            <th scope="row">
              <i class=${`swatch ${series.rest ? "rest" : `s${i}`}`} aria-hidden="true"></i
              ><button type="button" class=${`link-row ${series.rest ? "faint" : "mono"}`} title="Show these events" onClick=${() => onOpen(series)}>${series.name}</button>
            </th>
            <td>${shown(series.sum)}</td>
            ${wanted.compared && html`<td class="faint">${shown(series.before)}</td><td>${changed(series)}</td>`}
            <td class="share"><i class=${`share-bar ${series.rest ? "rest" : `s${i}`}`} style=${{ width: `${Math.max(0, (100 * (series.sum ?? 0)) / most)}%` }}></i></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
