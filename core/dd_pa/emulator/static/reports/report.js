// What all reports share: the column with its head, the time they look at, and a card with the state of its question.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { facets } from "./ask.js";
import { refreshing } from "./refresh.js";
import { SavedMenu } from "./saved.js";
import { useStore } from "../shared/hooks.js";
import { Banner } from "../shared/states.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("../shared/router.js").Place} Place */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;
const FIRST_MONDAY = 4 * DAY; // the epoch was a Thursday
const MOST_DAYS = 460;
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

/** Days of one's own, both included, as `2026-11-01..2026-11-07`; UTC. @param {string} last @returns {import("./ask.js").Span | null} */
function daysIn(last) {
  const [, first, final] = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(last) ?? [];
  const from = Date.parse(first ?? ""), to = Date.parse(final ?? "") + DAY - 1;
  return to > from && to - from <= MOST_DAYS * DAY ? { from, to } : null;
}

/** @param {Place} place @param {string} otherwise @returns {string} a key of `spans`, or days */
export function lastOf(place, otherwise) {
  const last = one(place, "last", otherwise);
  return last in spans || daysIn(last) ? last : otherwise;
}

/** How long a bar is. @param {string} last @returns {number} ms */
export function intervalOf(last) {
  const days = daysIn(last);
  if (!days) return spans[last].interval;
  const length = days.to - days.from;
  return length <= 2 * DAY ? HOUR : length <= 14 * DAY ? 6 * HOUR : DAY;
}

/** Whether it is long enough to be shown in weeks. @param {string} last */
export const hasWeeks = (last) => intervalOf(last) >= DAY;

/** The Monday, UTC, with which the week of a moment begins. @param {number} at @returns {number} */
const mondayOf = (at) => at - ((((at - FIRST_MONDAY) % WEEK) + WEEK) % WEEK);

/** The whole weeks in which a time is. @param {string} last @returns {import("./ask.js").Span} */
export function weekSpan(last) {
  const { from, to } = spanOf(last), days = daysIn(last);
  return { from: mondayOf(from), to: days ? mondayOf(to) + WEEK - 1 : to };
}

/** The time that whole bars and the running one cover. @param {string} last @returns {import("./ask.js").Span} */
export function barSpan(last) {
  const { to } = spanOf(last), interval = intervalOf(last);
  return daysIn(last) ?? { from: Math.floor(to / interval) * interval + interval - spans[last].ms, to };
}

/** @param {string} last @returns {import("./ask.js").Span} */
export function spanOf(last) {
  const days = daysIn(last);
  if (days) return days;
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

/** @param {number} ms @returns {string} */
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);

/** @param {{page: Page, last: string}} props */
function Days({ page, last }) {
  const { from, to } = spanOf(last);
  const [first, final] = [dateOf(from), dateOf(to)];
  /** @param {string} a @param {string} b */
  const choose = (a, b) => a && b && change(page, { last: a <= b ? `${a}..${b}` : `${b}..${a}` });
  /** @param {string} label @param {string} value @param {(value: string) => void} onChoose */
  const field = (label, value, onChoose) =>
    html`<input type="date" class="field" aria-label=${label} value=${value} onChange=${(/** @type {Event} */ event) => onChoose(/** @type {HTMLInputElement} */ (event.target).value)} />`;
  return html`<span class="days">${field("First day, UTC", first, (value) => choose(value, final))}<span aria-hidden="true">–</span>${field("Last day, UTC", final, (value) => choose(first, value))}</span>`;
}

/** @param {{page: Page, last: string}} props */
export const Last = ({ page, last }) => html`${!(last in spans) && html`<${Days} page=${page} last=${last} />`}<div class="segments" role="group" aria-label="Time">
  ${Object.entries(spans).map(
    ([key, { words }]) =>
      html`<button type="button" key=${key} aria-pressed=${key === last} aria-label=${`Last ${words}`} onClick=${() => change(page, { last: key })}>${words}</button>`,
  )}
  <button type="button" aria-pressed=${!(last in spans)} aria-label="Days of your own" onClick=${() => change(page, { last: `${dateOf(spanOf(last).from)}..${dateOf(spanOf(last).to)}` })}>Days</button>
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

function Refresh() {
  useStore(refreshing);
  return html`<span class="refresh">
    <button type="button" class="button" onClick=${() => refreshing.now()}>Refresh</button>
    <button type="button" class="button" aria-pressed=${refreshing.isOn} title="Ask again every 10 seconds" onClick=${() => refreshing.byItself(!refreshing.isOn)}>Auto</button>
  </span>`;
}

/** @param {{page: Page, title: string, last: string, controls: unknown, children?: unknown}} props */
export const Report = ({ page, title, last, controls, children }) => html`<main class="page" tabindex="-1">
  <${Banner} feed=${page.feed} />
  <div class="page-column report">
    <div class="page-head">
      <h2>${title}</h2>
      <span class="spring"></span>
      <${Last} page=${page} last=${last} />
      <${Refresh} />
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
