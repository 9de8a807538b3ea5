// One declared event: what it is, whose, when it was last seen, how often and from where; opened, its fields.
import { html, useEffect, useRef } from "../vendor/vendor.js";
import { clock, count, day, iso, MISSING } from "../shared/format.js";
import { eventText } from "../shared/router.js";
import { follow } from "../shared/links.js";

/** @typedef {import("../shared/api.js").PlanEvent} PlanEvent */
/** @typedef {import("../shared/api.js").PlanField} PlanField */
/** @typedef {import("../shared/views.js").Page} Page */

/** @param {{until: string, use: string}} given @returns {string} */
const deprecation = ({ until, use }) => `deprecated until ${until}${use ? `, use ${use}` : ""}`;

/** @param {{ms: number | null}} props */
export const Moment = ({ ms }) => (ms === null ? MISSING : html`<time title=${iso(ms)} datetime=${iso(ms)}>${day(ms)}${clock(ms)}</time>`);

/** @param {string[]} services @returns {string} */
export const firedBy = (services) => services.map((service) => service || "no service named").join(", ") || MISSING;

/** @param {{field: PlanField}} props */
function Field({ field }) {
  const { path, types, required, personal, deprecated, description } = field;
  return html`<tr>
    <th scope="row"><code>${path}</code></th>
    <td>${types}${personal && html`<span class="late">, personal data</span>`}${deprecated && html`<span class="late">, ${deprecation(deprecated)}</span>`}</td>
    <td>${required ? "always" : "may be left out"}</td>
    <td>${description}</td>
  </tr>`;
}

/** @param {{event: PlanEvent}} props */
function Fields({ event }) {
  if (!event.fields.length) return html`<p class="quiet">No fields.</p>`;
  return html`<div class="wide" role="region" aria-label=${`Fields of ${event.name}`} tabindex="0">
    <table class="plan-fields">
      <thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col">Present</th><th scope="col">Description</th></tr></thead>
      <tbody>${event.fields.map((field) => html`<${Field} key=${field.path} field=${field} />`)}</tbody>
    </table>
  </div>`;
}

/** @param {{event: PlanEvent, page: Page}} props */
function Problems({ event, page: { router } }) {
  if (!event.off_plan) return null;
  const address = `/?event=${event.last_off === null ? "" : eventText(event.last_off)}`;
  const open = () => router.go({ path: "/", q: "", event: event.last_off, more: {} }, { push: true });
  return html`<div class="differences off">
    <b>${count(event.off_plan)} ${event.off_plan === 1 ? "is" : "are"} off the plan</b>
    <ul>${event.problems.map(([problem, times]) => html`<li key=${problem}>${problem} <span class="faint">${count(times)} ×</span></li>`)}</ul>
    <a href=${address} onClick=${(/** @type {MouseEvent} */ click) => follow(click, open)}>Open the last one</a>
  </div>`;
}

/** @param {{event: PlanEvent, page: Page}} props */
function Body({ event, page }) {
  const { router } = page;
  const q = `@event.name:"${event.name.replaceAll(/["\\]/g, "\\$&")}"`;
  const address = `/?q=${encodeURIComponent(q)}`;
  const list = () => router.go({ path: "/", q, event: null, more: {} }, { push: true });
  const rest = event.description.slice(event.description.split("\n")[0].length).trim();
  return html`<div class="plan-body">
    ${event.deprecated && html`<p class="late">This event is ${deprecation(event.deprecated)}.</p>`}
    ${rest.split("\n\n").map((part, i) => part && html`<p key=${i}>${part}</p>`)}
    <p class="plan-facts faint">
      ${event.source && html`<span>Declared as <code>${event.source}</code></span>`}
      ${event.count > 0 && html`<a href=${address} onClick=${(/** @type {MouseEvent} */ click) => follow(click, list)}>Show its events</a>`}
    </p>
    <${Problems} event=${event} page=${page} />
    <${Fields} event=${event} />
  </div>`;
}

/** @param {{event: PlanEvent, open: boolean, page: Page, onToggle: (name: string) => void}} props */
export function DeclaredEvent({ event, open, page, onToggle }) {
  const { name, description, owner, count: times, last_ms: last, services, off_plan: off, deprecated } = event;
  const row = useRef(/** @type {HTMLElement | null} */ (null));
  // The one that the address names may be far down.
  useEffect(() => {
    if (open) row.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return html`<li class=${open ? "open" : ""}>
    <button type="button" class="plan-row" ref=${row} aria-expanded=${open} onClick=${() => onToggle(name)}>
      <span class="p-name"><b class="mono">${name}</b>${deprecated && html` <span class="late">deprecated</span>`}<span class="p-what">${description.split("\n")[0]}</span></span>
      <span class="p-owner"><span class="unseen">owner </span>${owner || MISSING}</span>
      <span class="p-by"><span class="unseen">fired by </span>${firedBy(services)}</span>
      <span class="p-last"><span class="unseen">last seen </span>${times ? html`<${Moment} ms=${last} />` : html`<span class="late">never seen</span>`}</span>
      <span class="p-count">${count(times)}<span class="unseen"> times</span></span>
      <span class="p-off">${off > 0 && html`<span class="late">${count(off)} off</span>`}</span>
    </button>
    ${open && html`<${Body} event=${event} page=${page} />`}
  </li>`;
}
