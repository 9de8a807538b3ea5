// A funnel by a facet: one row for each value.
import { html } from "../vendor/vendor.js";
import { count, duration, MISSING, percent } from "../shared/format.js";

/** @param {{facet: string, groups: import("./funnel.js").Group[], words: string}} props */
export const FunnelGroups = ({ facet, groups, words }) => html`<div class="wide" tabindex="0" role="region" aria-label=${`By ${facet}`}>
  <table class="figures-table funnel-groups">
    <thead>
      <tr>
        <th scope="col" class="mono">${facet}</th>
        ${groups[0].reached.map((_, n) => html`<th scope="col" key=${n}>Step ${n + 1}</th>`)}
        <th scope="col">All the way</th><th scope="col">Median time</th>
      </tr>
    </thead>
    <tbody>
      ${groups.map(
        ({ name, reached, times }) => html`<tr key=${name}>
          <th scope="row" class="mono">${name}</th>
          ${reached.map((value, n) => html`<td key=${n}>${count(value)}${n > 0 && html` <span class="faint">${percent(value, reached[n - 1])}</span>`}</td>`)}
          <td><b>${percent(reached[reached.length - 1], reached[0])}</b></td>
          <td>${times.median === null ? MISSING : duration(times.median)}</td>
        </tr>`,
      )}
    </tbody>
    <caption class="unseen">How many ${words} of each value reached each step</caption>
  </table>
</div>`;
