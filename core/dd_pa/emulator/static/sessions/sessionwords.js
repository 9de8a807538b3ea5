// What the list and the timeline say of a session in the same words.
import { html } from "../vendor/vendor.js";
import { MISSING, shortId } from "../shared/format.js";

/** @typedef {import("../shared/api.js").SessionHead} SessionHead */

const ACTIVE_MS = 60_000;

/** Whether something happened within the last minute. @param {{end: number}} session @param {number} now */
export const isActive = ({ end }, now) => now - end < ACTIVE_MS;

/** @param {{session: SessionHead}} props */
export function Who({ session }) {
  const { usr, account, anonymous_id: anonymous } = session;
  if (usr === null && account === null) {
    return html`<span class="faint">${anonymous === null ? "nobody signed in" : `anonymous ${shortId(anonymous)}`}</span>`;
  }
  return html`<span class="mono">${usr?.id ?? MISSING}</span>${account && html`<span class="faint"> · </span><span class="mono">${account.id}</span>`}`;
}
