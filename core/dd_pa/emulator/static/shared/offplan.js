// What the tracking plan says of an event: a mark in lists, and the differences in words.
import { html } from "../vendor/vendor.js";

/** @typedef {import("./api.js").OffPlan} OffPlan */

const words = { off: "off the plan", undeclared: "not on the plan" };

/** A mark beside a name. @param {{kind: OffPlan["kind"], text: string}} props */
export const OffPlanMark = ({ kind, text }) => html`<span class=${`plan-mark ${kind}`} title=${text}
  ><svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M8 2.2 14.6 13.6H1.4ZM8 6.6v3.2M8 11.6v.1" /></svg
  ><span class="unseen">, ${words[kind]}: ${text}</span></span
>`;

/** @param {{path: string, problem: string}} props */
const Finding = ({ path, problem }) => html`<li>${path && html`<code>${path}</code> `}${problem}</li>`;

/** What the open event differs in. @param {{offPlan: OffPlan | null}} props */
export function Differences({ offPlan }) {
  if (offPlan === null) return null;
  const { kind, findings } = offPlan;
  return html`<div class=${`differences ${kind}`}>
    <b>${kind === "off" ? "Off the plan" : "Not on the plan"}</b>
    <ul>${findings.map(([path, problem]) => html`<${Finding} key=${`${path} ${problem}`} path=${path} problem=${problem} />`)}</ul>
  </div>`;
}
