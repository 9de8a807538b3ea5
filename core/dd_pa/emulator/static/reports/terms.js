// Writes search terms; reading them is the server's business alone.

/** @typedef {import("../shared/api.js").Scalar} Scalar */

const plainValue = /^[\p{L}\p{N}_][\p{L}\p{N}_.@/+-]*$/u;
const words = new Set(["AND", "OR", "NOT"]);

/** @param {Scalar} value @returns {string} */
export function quoted(value) {
  const text = String(value);
  if (plainValue.test(text) && !words.has(text)) return text;
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** @param {string} path facet path, with or without its @ @param {Scalar} value @returns {string} */
export function term(path, value) {
  // A dash is plain inside a name, but not at its start.
  const name = path.replace(/^@/, "").replace(/^-|[^\p{L}\p{N}_.-]/gu, "\\$&");
  return `@${name}:${quoted(value ?? "")}`;
}

/** Adds a term to a search, in place of its opposite; a search that has it already stays as it is.
 * @param {string} search @param {string} added @param {boolean} [not] @returns {string} */
export function withTerm(search, added, not = false) {
  const wanted = not ? `-${added}` : added;
  const opposite = not ? added : `-${added}`;
  const text = ` ${search.trim()} `;
  if (text.includes(` ${wanted} `)) return search.trim();
  if (text.includes(` ${opposite} `)) return text.replace(` ${opposite} `, () => ` ${wanted} `).trim();
  const old = /\bOR\b|\|\|/.test(search) ? `(${search.trim()})` : search.trim();
  return old ? `${old} ${wanted}` : wanted;
}
