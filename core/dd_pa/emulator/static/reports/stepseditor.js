// The list of a funnel's steps: add, change, move, remove.
import { html, useRef, useState } from "../vendor/vendor.js";
import { ask, found, useAnswer } from "./ask.js";
import * as icons from "../shared/icons.js";
import { Shape } from "../shared/shapes.js";
import { spanOf } from "./report.js";

/** @typedef {import("./steps.js").Step} Step */

const kinds = /** @type {const} */ ([["event", "server event"], ["page", "page"], ["search", "search"]]);
const shapes = { event: "server", page: "page", search: "action" };
const MOST = 100;
const MOST_STEPS = 12;

/** What happened most, to choose steps from. @param {string} last @param {AbortSignal} signal @returns {Promise<Record<"event" | "page" | "search", string[]>>} */
export async function frequentNames(last, signal) {
  /** @param {string} query @param {string} facet */
  const top = async (query, facet) => {
    const asked = { ...spanOf(last), query: { query: found(query), compute: { aggregation: "count" }, group_by: [{ facet, limit: MOST }] } };
    const answer = await ask("analytics/scalar", "formula_analytics_extended_request", asked, signal);
    return answer.columns[0]?.values?.map(String) ?? [];
  };
  return { event: await top("@event.name:*", "@event.name"), page: await top("@type:view @view.name:*", "@view.name"), search: [] };
}

/** @param {{step: Step, n: number, count: number, onStep: (step: Step | null) => void, onMove: (by: number) => void}} props */
function Row({ step, n, count, onStep, onMove }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const send = () => {
    if (draft !== null && draft.trim() && draft.trim() !== step.text) onStep({ ...step, text: draft.trim() });
    setDraft(null);
  };
  return html`<li class="step">
    <span class="step-number">${n + 1}</span>
    <${Shape} kind=${shapes[step.kind]} />
    <input
      class="step-text mono"
      aria-label=${`Step ${n + 1}`}
      value=${draft ?? step.text}
      list=${`steps-${step.kind}`}
      spellcheck="false"
      autocomplete="off"
      onInput=${(/** @type {Event} */ event) => setDraft(/** @type {HTMLInputElement} */ (event.target).value)}
      onChange=${send}
      onBlur=${send}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && send()}
    />
    <button type="button" class="icon-button tiny" aria-label=${`Move step ${n + 1} up`} disabled=${n === 0} onClick=${() => onMove(-1)}>${icons.up}</button>
    <button type="button" class="icon-button tiny" aria-label=${`Move step ${n + 1} down`} disabled=${n === count - 1} onClick=${() => onMove(1)}>${icons.down}</button>
    <button type="button" class="icon-button tiny" aria-label=${`Remove step ${n + 1}`} onClick=${() => onStep(null)}>${icons.close}</button>
  </li>`;
}

/** @param {{known: Record<string, string[]>, onAdd: (step: Step) => void}} props */
function Add({ known, onAdd }) {
  const [kind, setKind] = useState(/** @type {Step["kind"]} */ ("event"));
  const [text, setText] = useState("");
  /** @param {Event} event */
  const add = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    onAdd({ kind, text: text.trim() });
    setText("");
  };
  return html`<form class="step-add" onSubmit=${add}>
    <select class="field" aria-label="Kind of the new step" value=${kind} onChange=${(/** @type {Event} */ event) => setKind(/** @type {any} */ (/** @type {HTMLSelectElement} */ (event.target).value))}>
      ${kinds.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}
    </select>
    <input
      class="field mono"
      aria-label="New step"
      placeholder=${kind === "event" ? "checkout.completed" : kind === "page" ? "/products/*" : "@type:action @action.target.name:Buy"}
      value=${text}
      list=${`steps-${kind}`}
      spellcheck="false"
      autocomplete="off"
      onInput=${(/** @type {Event} */ event) => setText(/** @type {HTMLInputElement} */ (event.target).value)}
    />
    <button type="submit" class="button" disabled=${!text.trim()}>Add a step</button>
    ${kinds.map(([key]) => html`<datalist key=${key} id=${`steps-${key}`}>${known[key].map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>`)}
  </form>`;
}

/** @param {{steps: Step[], last: string, isAnswered: boolean, onSteps: (steps: Step[]) => void}} props what to choose from is asked for after the funnel */
export function StepsEditor({ steps, last, isAnswered, onSteps }) {
  const calm = useRef(false);
  calm.current ||= isAnswered;
  const asked = useAnswer(calm.current ? last : "", (signal) => (calm.current ? frequentNames(last, signal) : Promise.resolve(null)));
  const known = asked.answer ?? { event: [], page: [], search: [] };
  /** @param {number} n @param {Step | null} step */
  const set = (n, step) => onSteps(steps.flatMap((each, i) => (i === n ? (step ? [step] : []) : [each])));
  /** @param {number} n @param {number} by */
  const move = (n, by) => {
    const moved = [...steps];
    [moved[n], moved[n + by]] = [moved[n + by], moved[n]];
    onSteps(moved);
  };
  const unused = known.event.filter((name) => !steps.some((step) => step.kind === "event" && step.text === name)).slice(0, 6);
  return html`<section class="card steps" aria-label="Steps">
    <ol>
      ${steps.map((step, n) => html`<${Row} key=${`${n}:${step.text}`} step=${step} n=${n} count=${steps.length} onStep=${(/** @type {Step | null} */ next) => set(n, next)} onMove=${(/** @type {number} */ by) => move(n, by)} />`)}
    </ol>
    ${steps.length < MOST_STEPS && html`<${Add} known=${known} onAdd=${(/** @type {Step} */ step) => onSteps([...steps, step])} />`}
    ${unused.length > 0 &&
    steps.length < MOST_STEPS &&
    html`<p class="step-offers"><span class="faint">Frequent:</span>${unused.map((name) => html`<button type="button" key=${name} class="offer mono" onClick=${() => onSteps([...steps, { kind: "event", text: name }])}>${name}</button>`)}</p>`}
  </section>`;
}
