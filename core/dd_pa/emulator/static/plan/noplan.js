// What stands where the plan would be.
import { html } from "../vendor/vendor.js";
import { CopyButton } from "../shared/clipboard.js";

const declaration = `from decimal import Decimal

from dd_pa import Event


class OrderPlaced(Event, name="order.placed", owner="shop"):
    """A customer has ordered."""

    total: Decimal
    coupon: str | None = None`;

const snippets = /** @type {const} */ ([
  ["A declared event", declaration],
  ["A plan of another project", "dd-pa emulator --plan events.lock.json"],
  ["Classes of what was seen here", `dd-pa events infer --emulator ${location.origin} > events.py`],
]);

export const NoPlan = () => html`<div class="card state waiting in-card">
  <h2>No plan is known</h2>
  <p>An application that declares its events as classes tells the emulator by itself, with the first event. This page then says of each what it carries, who answers for it, when it was last seen, and what differs from it.</p>
  ${snippets.map(
    ([title, code]) => html`<div class="snippet" key=${title}>
      <div class="snippet-head"><h3>${title}</h3><${CopyButton} text=${code} label=${`Copy ${title}`} /></div>
      <pre class="code" tabindex="0" role="region" aria-label=${title}>${code}</pre>
    </div>`,
  )}
</div>`;
