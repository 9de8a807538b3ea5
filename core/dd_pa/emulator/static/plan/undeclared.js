// Events that were seen, and are on no plan: strings that nobody has declared, or misspelt names.
import { html } from "../vendor/vendor.js";
import { count } from "../shared/format.js";
import { follow } from "../shared/links.js";
import { firedBy, Moment } from "./declaredevent.js";

/** @typedef {import("../shared/api.js").UndeclaredEvent} UndeclaredEvent */
/** @typedef {import("../shared/views.js").Page} Page */

/** @param {{event: UndeclaredEvent, page: Page}} props */
function Row({ event, page: { router } }) {
  const { name, nearest, count: times, last_ms: last, services } = event;
  const q = `@event.name:"${name.replaceAll(/["\\]/g, "\\$&")}"`;
  const list = () => router.go({ path: "/", q, event: null, more: {} }, { push: true });
  return html`<tr>
    <th scope="row"><a class="mono" href=${`/?q=${encodeURIComponent(q)}`} onClick=${(/** @type {MouseEvent} */ click) => follow(click, list)}>${name}</a></th>
    <td>${nearest && html`<span class="late">perhaps <code>${nearest}</code></span>`}</td>
    <td>${firedBy(services)}</td>
    <td><${Moment} ms=${last} /></td>
    <td class="number">${count(times)}</td>
  </tr>`;
}

/** @param {{events: UndeclaredEvent[], page: Page}} props */
export function Undeclared({ events, page }) {
  if (!events.length) return null;
  return html`<section class="card plan-undeclared" aria-label="Not on the plan">
    <h3>Not on the plan</h3>
    <p class="faint">Seen, and declared by nobody. <code>dd-pa events infer</code> writes classes for them.</p>
    <div class="wide" role="region" aria-label="Events that are not on the plan" tabindex="0">
      <table class="plan-fields">
        <thead><tr><th scope="col">Event</th><th scope="col">Meant</th><th scope="col">Fired by</th><th scope="col">Last seen</th><th scope="col" class="number">Times</th></tr></thead>
        <tbody>${events.map((event) => html`<${Row} key=${event.name} event=${event} page=${page} />`)}</tbody>
      </table>
    </div>
  </section>`;
}
