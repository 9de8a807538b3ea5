// The steps of a funnel: what each is, and how it stands in the address and in a search.
import { quoted, term } from "./terms.js";

/** @typedef {{kind: "event" | "page" | "search", text: string}} Step */

const kinds = /** @type {const} */ (["event", "page", "search"]);

/** @param {string} text `event:checkout.completed`, as in the address @returns {Step} */
export function stepOf(text) {
  const [kind, ...rest] = text.split(":");
  const known = kinds.find((each) => each === kind);
  return known ? { kind: known, text: rest.join(":") } : { kind: "event", text };
}

/** @param {Step} step @returns {string} */
export const written = ({ kind, text }) => `${kind}:${text}`;

/** The search that finds a step's events; a `*` of a name is a wildcard. @param {Step} step @returns {string} */
export function searchOf({ kind, text }) {
  if (kind === "search") return text || "*";
  const facet = kind === "event" ? "@event.name" : "@view.name";
  const value = text.includes("*") ? `${facet}:${text.split("*").map((part) => part && escaped(part)).join("*")}` : term(facet, text);
  return kind === "event" ? value : `@type:view ${value}`;
}

/** @param {string} text @returns {string} what a search reads as this text, without quotes */
const escaped = (text) => (quoted(text) === text ? text : text.replace(/[^\p{L}\p{N}_.@-]/gu, "\\$&"));

/** @param {number} n @returns {string} as Datadog names the steps: A, B, C */
export const letter = (n) => String.fromCharCode(65 + n);

/** `search` of a journey query. @param {Step[]} steps @param {string} key @returns {Record<string, unknown>} */
export function journey(steps, key) {
  const nodes = steps.map((step, n) => [letter(n), { data_source: "product_analytics", search: { query: searchOf(step) } }]);
  return { expression: nodes.map(([name]) => name).join(" -> "), node_objects: Object.fromEntries(nodes), join_keys: { primary: key } };
}
