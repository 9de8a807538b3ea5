// Paths: which way sessions go, as a flow and as a table.
import { html, useState } from "../vendor/vendor.js";
import { answered, ownRequestOf, requestOf, useAnswer } from "./ask.js";
import { audience, Audience, whoOf } from "./audience.js";
import { noteOf, pathsCopies } from "./copyas.js";
import { count } from "../shared/format.js";
import { useStore } from "../shared/hooks.js";
import { Card, change, Choice, lastOf, one, Report, spanOf, Text } from "./report.js";
import { Flow } from "./flow.js";
import { Search, searchFocus } from "../shared/search.js";
import { written } from "./steps.js";
import { frequentNames } from "./stepseditor.js";
import { Takeaway } from "./takeaway.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {{id: string, name: string, column: number, kind: "regular" | "dropoff" | "other", value: number}} FlowNode */
/** @typedef {{source: string, target: string, value: number}} FlowLink */
/** @typedef {{nodes: FlowNode[], links: FlowLink[]}} Graph */

const COLUMNS = 3;
/** @type {Record<string, {facet: string, step: "event" | "page", words: string}>} */
const facets = {
  events: { facet: "@event.name", step: "event", words: "server events" },
  pages: { facet: "@view.name", step: "page", words: "pages" },
};

/** @typedef {{facet: string, q: string, who: string, last: string, width: number, begin: string, end: string}} Wanted `begin` or `end`: what ways are looked at from, or up to */

/** The request to ask and to copy: Datadog's own, where it can say what was asked for. @param {Wanted} wanted */
function question({ facet, q, who, last, width, begin, end }) {
  const definition = { source: facet, target: facet, number_of_steps: COLUMNS, entries_per_step: width };
  const attributes = { time: spanOf(last), search: { ...(q && { query: q }), ...audience(who) }, definition };
  if (!begin && !end) return requestOf("sankey", "sankey_request", attributes);
  return ownRequestOf("sankey", "sankey_request", { ...attributes, ...(begin ? { begin } : { end }) });
}

/** @param {Graph} graph */
function sheet({ nodes, links }) {
  const names = new Map(nodes.map((node) => [node.id, node]));
  return [["step", "from", "to", "sessions"], ...links.map(({ source, target, value }) => [(names.get(source)?.column ?? 0) + 1, names.get(source)?.name, names.get(target)?.name, value])];
}

/** @param {Wanted} wanted @param {AbortSignal} signal @returns {Promise<Graph>} */
async function graph(wanted, signal) {
  const answer = await answered(question(wanted), signal);
  // What ends somewhere is told from its end: time goes to the right here.
  const last = wanted.end ? Math.max(0, ...answer.nodes.map((/** @type {any} */ node) => node.column)) : null;
  const nodes = answer.nodes.map((/** @type {any} */ node) => ({
    id: node.id,
    name: node.type !== "dropoff" ? node.name : wanted.end ? "began" : "left",
    column: last === null ? node.column : last - node.column,
    kind: ["regular", "dropoff"].includes(node.type) ? node.type : "other",
    value: node.value,
  }));
  const links = answer.links.map((/** @type {any} */ link) => (wanted.end ? { source: link.target, target: link.source, value: link.value } : { source: link.source, target: link.target, value: link.value }));
  return { nodes, links };
}

/** The names on the widest way from the first column to a node; where ways end somewhere, from the node to there.
 * @param {Graph} graph @param {FlowNode} node @param {boolean} onward @returns {string[]} */
function wayBy({ nodes, links }, node, onward) {
  const names = [node.name];
  /** @type {("source" | "target")[]} */
  const [here, there] = onward ? ["source", "target"] : ["target", "source"];
  let at = node.id;
  for (;;) {
    const widest = links.filter((link) => link[here] === at).sort((a, b) => b.value - a.value)[0];
    const found = widest && nodes.find((each) => each.id === widest[there]);
    if (!found) return names;
    if (onward) names.push(found.name);
    else names.unshift(found.name);
    at = found.id;
  }
}

/** What there is to begin or end at. @param {{last: string, of: "event" | "page"}} props */
function Names({ last, of }) {
  const { answer } = useAnswer(`${last} ${of}`, (signal) => frequentNames(last, signal));
  return html`<datalist id="path-names">${(answer?.[of] ?? []).map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>`;
}

/** @param {Wanted} wanted */
const meaning = ({ begin, end }) =>
  end ? `Sessions, up to their last ${end}. A step opens the funnel from it to there.`
  : `Sessions, from ${begin ? `their first ${begin} on` : "the first thing they did"}. A step opens the funnel that leads to it.`;

/** @param {{graph: Graph}} props */
function LinksTable({ graph: { nodes, links } }) {
  const names = new Map(nodes.map((node) => [node.id, node]));
  const rows = [...links].sort((a, b) => (names.get(a.source)?.column ?? 0) - (names.get(b.source)?.column ?? 0) || b.value - a.value);
  return html`<div class="wide" tabindex="0" role="region" aria-label="Paths as a table">
    <table class="figures-table">
      <thead><tr><th scope="col">Step</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Sessions</th></tr></thead>
      <tbody>
        ${rows.map(
          (link) => html`<tr key=${`${link.source} ${link.target}`}>
            <td>${(names.get(link.source)?.column ?? 0) + 1}</td><td class="mono text">${names.get(link.source)?.name}</td><td class="mono text">${names.get(link.target)?.name}</td><td>${count(link.value)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** @param {{page: Page}} props */
export function Paths({ page }) {
  const { router } = page;
  useStore(router);
  const { place } = router;
  const last = lastOf(place, "7d");
  const of = one(place, "of", "events") in facets ? one(place, "of", "events") : "events";
  const width = Number(one(place, "most", "5")) === 8 ? 8 : 5;
  const { facet, step } = facets[of];
  const end = one(place, "end", ""), begin = end ? "" : one(place, "begin", "");
  const wanted = { facet, q: place.q, who: whoOf(place), last, width, begin, end };
  const asked = useAnswer(JSON.stringify(wanted), (signal) => graph(wanted, signal));
  const [table, setTable] = useState(false);
  /** Opens the funnel of the steps to here. @param {FlowNode} node */
  const open = (node) => {
    const steps = wayBy(asked.answer ?? { nodes: [], links: [] }, node, end !== "").map((text) => written({ kind: step, text }));
    router.go({ path: "/funnel", q: "", more: { step: steps, last: [last], ...(wanted.who && { who: [wanted.who] }) } }, { push: true });
  };
  const controls = html`<${Choice} label="Of" value=${of} options=${Object.entries(facets).map(([name, each]) => [name, each.words])} onChoose=${(/** @type {string} */ value) => change(page, { of: value === "events" ? null : value, begin: null, end: null })} />
    <${Text} label="Begin at" value=${begin} list="path-names" placeholder="anything" onChoose=${(/** @type {string} */ value) => change(page, { begin: value, end: null })} />
    <${Text} label="End at" value=${end} list="path-names" placeholder="anything" onChoose=${(/** @type {string} */ value) => change(page, { end: value, begin: null })} />
    ${asked.answer && html`<${Names} last=${last} of=${step} />`}
    <${Choice} label="At each step" value=${String(width)} options=${[["5", "5 most frequent"], ["8", "8 most frequent"]]} onChoose=${(/** @type {string} */ value) => change(page, { most: value === "5" ? null : value })} />
    <${Audience} page=${page} />`;
  return html`<${Report} page=${page} title="Paths" last=${last} controls=${controls}>
    <${Search} q=${place.q} problem=${null} label="Search events" placeholder="Only events that match: @usr.id:user-12345" span=${() => spanOf(last)} onSearch=${(/** @type {string} */ q) => router.go({ q })} />
    <${Card} asked=${asked} empty=${!asked.answer?.links.length} nothing="No session did one thing after another in this time." label="Paths">
      ${asked.answer &&
      html`<${Flow} graph=${asked.answer} kind=${step} onOpen=${open} />
        <p class="card-foot">
          <span class="faint">${meaning(wanted)}</span><span class="spring"></span>
          <${Takeaway} name="paths" rows=${() => sheet(/** @type {Graph} */ (asked.answer))} request=${question(wanted)} copies=${() => pathsCopies(wanted.who, last, question({ ...wanted, begin: "", end: "" }))} note=${noteOf(wanted.who, begin || end ? `Without where the ways ${end ? "end" : "begin"}, which is the emulator's alone.` : "")} />
          <button type="button" class="plain small" onClick=${() => setTable(!table)}>${table ? "as flow only" : "as table"}</button>
        </p>
        ${table && html`<${LinksTable} graph=${asked.answer} />`}`}
    <//>
  <//>`;
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export const pathsKeys = ({ router }) => [
  { keys: ["/"], what: "search", run: () => searchFocus.current?.() },
  { keys: ["Escape"], shown: ["Esc"], what: "clear the search", run: () => router.go({ q: "" }) },
];
