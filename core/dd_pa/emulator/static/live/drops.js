// Events that a program dropped before it sent them, as it reports them: what they are called, why, and what to do.
import { html, useEffect, useState } from "../vendor/vendor.js";
import { drops } from "../shared/api.js";
import { count } from "../shared/format.js";
import { useTaken } from "../shared/hooks.js";

/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("../shared/api.js").Drop} Drop */

/** @param {Drop[]} listed @returns {[reason: string, drops: Drop[]][]} in the order in which they came */
function byReason(listed) {
  /** @type {Map<string, Drop[]>} */
  const reasons = new Map();
  for (const drop of listed) reasons.set(drop.reason, [...(reasons.get(drop.reason) ?? []), drop]);
  return [...reasons];
}

/** @param {{reason: string, listed: Drop[]}} props */
const Reason = ({ reason, listed }) => html`<section>
  <h3>${reason}</h3>
  <p>${listed[0].meaning} <b>${listed[0].fix}</b></p>
  <ul>${listed.map(({ name, count: times }) => html`<li key=${name}><code>${name || "(no name)"}</code> ${count(times)} ×</li>`)}</ul>
</section>`;

/** @param {{feed: Feed}} props */
export function Drops({ feed }) {
  const total = useTaken(feed, (store) => store.drops);
  const [listed, setListed] = useState(/** @type {Drop[]} */ ([]));
  useEffect(() => {
    const abort = new AbortController();
    if (total) void drops(abort.signal).then((found) => setListed(found.drops), () => undefined);
    return () => abort.abort();
  }, [total]);
  if (!total) return null;
  return html`<details class="drops" open=${feed.numbers.received === 0}>
    <summary><b>${count(total)} ${total === 1 ? "event was" : "events were"} dropped before being sent.</b> Why, and what to do</summary>
    ${byReason(listed).map(([reason, found]) => html`<${Reason} key=${reason} reason=${reason} listed=${found} />`)}
  </details>`;
}
