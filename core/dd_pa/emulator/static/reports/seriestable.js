// The legend of a chart: a table with the sum of each series, which opens its events.
import { html } from "../vendor/vendor.js";
import { count } from "../shared/format.js";

/** @typedef {import("./explore.js").Counts} Counts */
/** @typedef {import("./explore.js").Series} Series */

/** @param {{counts: Counts, title: string, onOpen: (series: Series) => void}} props */
export function SeriesTable({ counts, title, onOpen }) {
  const most = Math.max(1, ...counts.series.map((series) => series.sum));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Numbers">
    <table class="legend">
      <thead><tr><th scope="col" class="mono">${title}</th><th scope="col">${counts.words}</th><th class="share-head"><span class="unseen">Share</span></th></tr></thead>
      <tbody>
        ${counts.series.map(
          (series, i) => html`<tr key=${series.name}>
            <th scope="row">
              <i class=${`swatch ${series.rest ? "rest" : `s${i}`}`} aria-hidden="true"></i
              ><button type="button" class=${`link-row ${series.rest ? "faint" : "mono"}`} title="Show these events" onClick=${() => onOpen(series)}>${series.name}</button>
            </th>
            <td>${count(series.sum)}</td>
            <td class="share"><i class=${`share-bar ${series.rest ? "rest" : `s${i}`}`} style=${{ width: `${(100 * series.sum) / most}%` }}></i></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
