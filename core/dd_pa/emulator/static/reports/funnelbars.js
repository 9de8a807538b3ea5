// The bars of a funnel in plain HTML: text that can be selected, read aloud and printed.
import { html } from "../vendor/vendor.js";
import { count, duration, MISSING, percent } from "../shared/format.js";
import { letter } from "./steps.js";

/** @typedef {import("./funnel.js").Stage} Stage */

const LEAST_INSIDE = 0.16;

/** The step before which most are lost. @param {Stage[]} stages @returns {number} */
function worst(stages) {
  let found = 1;
  for (let n = 2; n < stages.length; n++) if (stages[n - 1].reached - stages[n].reached > stages[found - 1].reached - stages[found].reached) found = n;
  return found;
}

/** @param {{stages: Stage[], words: string}} props */
function Sentence({ stages, words }) {
  const first = stages[0].reached, last = stages[stages.length - 1].reached, n = worst(stages);
  if (!first) return html`<p class="funnel-sentence"><b>${MISSING}</b><span>None of the ${words} of this time took the first step.</span></p>`;
  const lost = stages[n - 1].reached - stages[n].reached;
  return html`<p class="funnel-sentence">
    <b>${percent(last, first)}</b
    ><span>of ${count(first)} ${words} reach the last step.${lost > 0 && html` The largest loss is before <code>${stages[n].step.text}</code>: ${count(lost)}.`}</span>
  </p>`;
}

/** @param {{stages: Stage[], n: number, lost: number, onLost: (step: number) => void}} props */
function Stage({ stages, n, lost, onLost }) {
  const { step, reached, times } = stages[n];
  const first = stages[0].reached, before = stages[n - 1]?.reached ?? 0;
  const share = first ? reached / first : 0;
  return html`<li class=${`stage ${step.kind}`}>
    <h3 title=${step.text}>${n + 1}. <span class="mono">${step.text || "everything"}</span></h3>
    <div class="stage-well" aria-hidden="true">
      <div class="stage-bar" style=${{ height: `${100 * share}%` }}>${share >= LEAST_INSIDE && html`<b>${percent(reached, first)}</b>`}</div>
      ${share < LEAST_INSIDE && html`<b class="above" style=${{ bottom: `calc(${100 * share}% + 4px)` }}>${percent(reached, first)}</b>`}
    </div>
    <dl>
      <div><dt>reached</dt><dd>${count(reached)}</dd></div>
      ${n > 0 &&
      html`<div><dt>of step ${n}</dt><dd>${percent(reached, before)}</dd></div>
        <div><dt>left before</dt><dd>${before > reached
          ? html`<button type="button" class="link" aria-pressed=${lost === n} aria-label=${`${count(before - reached)} left before step ${letter(n)}, show them`} onClick=${() => onLost(n)}>${count(before - reached)}</button>`
          : "0"}</dd></div>
        <div title=${times?.pc90 ? `Nine of ten took ${duration(times.pc90)} or less` : ""}><dt>median time</dt><dd>${duration(times?.median ?? null)}</dd></div>`}
    </dl>
  </li>`;
}

/** @param {{stages: Stage[], words: string, lost: number, onLost: (step: number) => void}} props */
export const FunnelBars = ({ stages, words, lost, onLost }) => html`<${Sentence} stages=${stages} words=${words} />
  <ol class="stages" style=${{ "--stages": stages.length }}>
    ${stages.map((_, n) => html`<${Stage} key=${n} stages=${stages} n=${n} lost=${lost} onLost=${onLost} />`)}
  </ol>`;
