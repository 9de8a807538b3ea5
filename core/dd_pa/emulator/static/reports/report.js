// What all reports share: the column with its head, the time they look at, and a card with the state of its question.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { facets } from "./ask.js";
import { SavedMenu } from "./saved.js";
import { Banner } from "../shared/states.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("../shared/router.js").Place} Place */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PATIENCE_MS = 200;

/** @type {Record<string, {words: string, ms: number, interval: number}>} */
export const spans = {
  "1h": { words: "1 h", ms: HOUR, interval: 60_000 },
  "24h": { words: "24 h", ms: DAY, interval: HOUR },
  "7d": { words: "7 d", ms: 7 * DAY, interval: 6 * HOUR },
  "30d": { words: "30 d", ms: 30 * DAY, interval: DAY },
  "90d": { words: "90 d", ms: 90 * DAY, interval: DAY },
};

/** @param {Place} place @param {string} name @param {string} otherwise @returns {string} */
export const one = (place, name, otherwise) => place.more[name]?.[0] ?? otherwise;

/** @param {Place} place @param {string} name @returns {string[]} */
export const many = (place, name) => place.more[name] ?? [];

/** @param {Place} place @param {string} otherwise @returns {string} a key of `spans` */
export const lastOf = (place, otherwise) => (one(place, "last", otherwise) in spans ? one(place, "last", otherwise) : otherwise);

/** @param {string} last @returns {import("./ask.js").Span} */
export function spanOf(last) {
  const to = Date.now();
  return { from: to - spans[last].ms, to };
}

/** Changes what a report shows; an empty value leaves the address. @param {Page} page
 * @param {Record<string, string | string[] | null>} changes @param {{push?: boolean}} [how] */
export function change({ router }, changes, how) {
  const more = { ...router.place.more };
  for (const [name, value] of Object.entries(changes)) {
    const values = value === null || value === "" ? [] : [value].flat();
    if (values.length) more[name] = values;
    else delete more[name];
  }
  router.go({ more }, how);
}

/** @param {{page: Page, last: string}} props */
export const Last = ({ page, last }) => html`<div class="segments" role="group" aria-label="Time">
  ${Object.entries(spans).map(
    ([key, { words }]) =>
      html`<button type="button" key=${key} aria-pressed=${key === last} aria-label=${`Last ${words}`} onClick=${() => change(page, { last: key })}>${words}</button>`,
  )}
</div>`;

/** @param {{label: string, value: string, options: [value: string, words: string][], onChoose: (value: string) => void}} props */
export const Choice = ({ label, value, options, onChoose }) => html`<label class="choice"
  ><span>${label}</span
  ><select class="field" aria-label=${label} value=${value} onChange=${(/** @type {Event} */ event) => onChoose(/** @type {HTMLSelectElement} */ (event.target).value)}>
    ${options.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value}>${words}</option>`)}
  </select></label
>`;

/** A text that takes effect when it is left, or with Enter.
 * @param {{label: string, value: string, list?: string, placeholder?: string, onChoose: (value: string) => void}} props */
export function Text({ label, value, list, placeholder, onChoose }) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const send = () => draft.trim() !== value && onChoose(draft.trim());
  return html`<label class="choice"
    ><span>${label}</span
    ><input
      class="field mono"
      aria-label=${label}
      value=${draft}
      list=${list}
      placeholder=${placeholder}
      spellcheck="false"
      autocomplete="off"
      onInput=${(/** @type {Event} */ event) => setDraft(/** @type {HTMLInputElement} */ (event.target).value)}
      onChange=${send}
      onBlur=${send}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && send()}
  /></label>`;
}

/** The facets there are, to choose from while typing. @param {{id: string}} props */
export function Facets({ id }) {
  const [known, setKnown] = useState(/** @type {string[]} */ ([]));
  useEffect(() => void facets().then(setKnown, () => setKnown([])), []);
  return useMemo(() => html`<datalist id=${id}>${known.map((path) => html`<option key=${path} value=${path}></option>`)}</datalist>`, [known]);
}

/** @param {{page: Page, title: string, last: string, controls: unknown, children?: unknown}} props */
export const Report = ({ page, title, last, controls, children }) => html`<main class="page" tabindex="-1">
  <${Banner} feed=${page.feed} />
  <div class="page-column report">
    <div class="page-head">
      <h2>${title}</h2>
      <span class="spring"></span>
      <${Last} page=${page} last=${last} />
      <${SavedMenu} page=${page} />
    </div>
    <div class="controls">${controls}</div>
    ${children}
  </div>
</main>`;

/** A card whose old answer stays, paler, until the new one is there.
 * @param {{asked: import("./ask.js").Asked<unknown>, empty: boolean, nothing: string, label: string, children?: unknown}} props */
export function Card({ asked, empty, nothing, label, children }) {
  const { answer, problem, running, retry } = asked;
  const [slow, setSlow] = useState(false);
  const timer = useRef(0);
  useEffect(() => {
    clearTimeout(timer.current);
    if (running) timer.current = setTimeout(() => setSlow(true), PATIENCE_MS);
    else setSlow(false);
    return () => clearTimeout(timer.current);
  }, [running]);
  return html`<section class=${`card report-card${slow && answer !== null ? " dimmed" : ""}`} aria-label=${label} aria-busy=${running}>
    ${problem &&
    html`<div class="card-problem" role="alert">
      <p>${problem.message}</p>
      <button type="button" class="button small" onClick=${retry}>Retry</button>
    </div>`}
    ${answer !== null && (empty ? html`<p class="card-empty">${nothing}</p>` : html`<div class="card-body">${children}</div>`)}
    ${answer === null && !problem && html`<p class="card-empty faint">${slow ? "Asking …" : ""}</p>`}
  </section>`;
}
