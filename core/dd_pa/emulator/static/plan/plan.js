// The Plan view: what applications declare of their events, beside what was seen of them.
import { html, useEffect, useMemo } from "../vendor/vendor.js";
import { change } from "../reports/report.js";
import { count } from "../shared/format.js";
import { useStore } from "../shared/hooks.js";
import { ROOT_PLAN } from "../shared/links.js";
import { Search, searchFocus } from "../shared/search.js";
import { Banner } from "../shared/states.js";
import { Catalogue } from "./catalogue.js";
import { DeclaredEvent } from "./declaredevent.js";
import { NoPlan } from "./noplan.js";
import { Undeclared } from "./undeclared.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("../shared/api.js").PlanEvent} PlanEvent */

const filters = /** @type {const} */ ([["all", "All"], ["unseen", "Never seen"], ["off", "Off the plan"]]);
/** @typedef {(typeof filters)[number][0]} Wanted */

/** @param {string[] | undefined} chosen @returns {Wanted} */
const wantedOf = (chosen) => filters.find(([key]) => key === chosen?.[0])?.[0] ?? "all";

/** @type {Record<Wanted, (event: PlanEvent) => boolean>} */
const fits = { all: () => true, unseen: (event) => event.count === 0, off: (event) => event.off_plan > 0 };

/** Whether each word stands in what is said of the event. @param {PlanEvent} event @param {string} q */
function matches(event, q) {
  const said = [event.name, event.owner, event.description, ...event.services, ...event.fields.map(({ path }) => path)].join("\n").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

/** @param {{events: PlanEvent[], wanted: Wanted, onWanted: (wanted: Wanted) => void}} props */
const Filters = ({ events, wanted, onWanted }) => html`<div class="segments" role="group" aria-label="Which events">
  ${filters.map(
    ([key, words]) => html`<button type="button" key=${key} aria-pressed=${key === wanted} onClick=${() => onWanted(key)}>${words} ${count(events.filter(fits[key]).length)}</button>`,
  )}
</div>`;

/** @param {{page: Page, catalogue: Catalogue}} props */
function Declared({ page, catalogue }) {
  const { router } = page;
  const { q, more } = router.place;
  const wanted = wantedOf(more.show);
  const { events, undeclared } = /** @type {import("../shared/api.js").PlanCatalogue} */ (catalogue.answer);
  const shown = events.filter((event) => fits[wanted](event) && matches(event, q));
  /** @param {Wanted} show */
  const want = (show) => change(page, { show: show === "all" ? null : show });
  /** @param {string} name */
  const toggle = (name) => change(page, { open: more.open?.[0] === name ? null : name });
  return html`<div class="plan-controls">
      <${Search} q=${q} problem=${null} label="Search the plan" placeholder="Name, field, owner, service" onSearch=${(/** @type {string} */ text) => router.go({ q: text })} />
      <${Filters} events=${events} wanted=${wanted} onWanted=${want} />
    </div>
    ${shown.length === 0 && html`<p class="card card-empty">No event of the plan is like that.</p>`}
    ${shown.length > 0 &&
    html`<div class="card plan-list">
      <div class="plan-row plan-head" aria-hidden="true"><span>Event</span><span>Owner</span><span>Fired by</span><span>Last seen</span><span class="p-count">Times</span><span></span></div>
      <ul aria-label="Declared events">
      ${shown.map((event) => html`<${DeclaredEvent} key=${event.name} event=${event} open=${more.open?.[0] === event.name} page=${page} onToggle=${toggle} />`)}
      </ul>
    </div>`}
    <${Undeclared} events=${undeclared.filter(({ name }) => q === "" || name.toLowerCase().includes(q.toLowerCase()))} page=${page} />`;
}

/** @param {{page: Page}} props */
export function PlanView({ page }) {
  const { feed, router } = page;
  const catalogue = useMemo(() => new Catalogue(), []);
  useStore(catalogue);
  useStore(router);
  useEffect(() => catalogue.follow(feed), [catalogue]);
  const { answer, problem } = catalogue;
  return html`<main class="page" tabindex="-1">
    <${Banner} feed=${feed} />
    <div class="page-column">
      <div class="page-head">
        <h2>Plan</h2>
        ${answer !== null && answer.revision > 0 && html`<span class="faint">${count(answer.events.length)} events declared</span>`}
      </div>
      ${problem && html`<div class="card card-problem" role="alert"><p>${problem}</p><button type="button" class="button small" onClick=${() => catalogue.load()}>Retry</button></div>`}
      ${answer !== null && (answer.revision === 0 ? html`<${NoPlan} />` : html`<${Declared} page=${page} catalogue=${catalogue} />`)}
    </div>
  </main>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const planKeys = ({ router }) => [
  { keys: ["/"], what: "search", run: () => searchFocus.current?.() },
  { keys: ["Escape"], shown: ["Esc"], what: "clear the search", run: () => router.place.path === ROOT_PLAN && router.go({ q: "", more: {} }) },
];
