// The terms of a search as chips, each of which can be taken away. What a search means is the server's to say: here its text
// is only cut where a blank stands outside quotes and parentheses.
import { html } from "../vendor/vendor.js";
import * as icons from "./icons.js";

const operators = new Set(["AND", "OR", "NOT", "||", "&&", "-"]);

/** @param {string} q @returns {string[]} */
function cut(q) {
  const parts = [""];
  let depth = 0, quoted = false;
  for (const symbol of q.match(/\\.|[^]/gsu) ?? []) {
    if (symbol === '"') quoted = !quoted;
    else if (!quoted && /[([{]/.test(symbol)) depth++;
    else if (!quoted && /[)\]}]/.test(symbol)) depth--;
    if (/^\s$/.test(symbol) && !quoted && depth === 0) parts.push("");
    else parts[parts.length - 1] += symbol;
  }
  return quoted || depth !== 0 ? [] : parts.filter(Boolean);
}

/** The terms that all must hold; none where they are put together in another way. @param {string} q @returns {string[]} */
export function termsOf(q) {
  const parts = cut(q);
  return parts.some((part) => operators.has(part)) ? [] : parts;
}

/** @param {{q: string, onSearch: (q: string) => void}} props */
export function Chips({ q, onSearch }) {
  const terms = termsOf(q);
  if (!terms.some((term) => /^-?@?[\w.\\]+:./.test(term))) return null;
  return html`<ul class="chips" aria-label="Filters">
    ${terms.map(
      (term, n) => html`<li key=${`${n} ${term}`}><button type="button" class=${`term-chip mono${term.startsWith("-") ? " not" : ""}`} aria-label=${`Remove ${term}`} onClick=${() => onSearch(terms.filter((_, i) => i !== n).join(" "))}><span>${term}</span>${icons.close}</button></li>`,
    )}
  </ul>`;
}
