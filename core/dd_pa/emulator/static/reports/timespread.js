// How long it took from the first step of a funnel to the last, as bars of unequal length in time.
import { html } from "../vendor/vendor.js";
import { count, duration } from "../shared/format.js";

/** `1 s`, `5 min`, `3 d`: an edge is a whole number of its largest unit. @param {number} ms @returns {string} */
function edge(ms) {
  if (ms >= 172_800_000) return `${ms / 86_400_000} d`;
  if (ms >= 3_600_000) return `${ms / 3_600_000} h`;
  return ms >= 60_000 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}

/** @param {number[]} edges @param {number} n @returns {string} */
function named(edges, n) {
  if (n === 0) return `under ${edge(edges[0])}`;
  return n === edges.length ? `${edge(edges[n - 1])} and more` : `${edge(edges[n - 1])} to ${edge(edges[n])}`;
}

/** @param {{times: import("./funnel.js").Times, edges: number[], words: string}} props */
export function TimeSpread({ times, edges, words }) {
  const { median, pc90, counts } = times;
  if (median === null) return null;
  const most = Math.max(...counts);
  const first = counts.findIndex(Boolean), last = counts.findLastIndex(Boolean);
  const rows = counts.map((value, n) => ({ value, n })).slice(first, last + 1);
  return html`<section class="spread" aria-label="Time from the first step to the last">
    <h3>From the first step to the last</h3>
    <p>Half took <b>${duration(median)}</b> or less, nine of ten <b>${duration(pc90)}</b>.</p>
    <table>
      <thead class="unseen"><tr><th scope="col">Time</th><th scope="col">Bar</th><th scope="col">${words}</th></tr></thead>
      <tbody>
        ${rows.map(
          ({ value, n }) => html`<tr key=${n}>
            <th scope="row">${named(edges, n)}</th>
            <td class="share">${value > 0 && html`<i class="share-bar" style=${{ width: `${(100 * value) / most}%` }}></i>`}</td>
            <td>${count(value)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}
