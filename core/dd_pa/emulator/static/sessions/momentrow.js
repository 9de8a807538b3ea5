// One row of the timeline: cause on the left, time in the middle, effects on the right.
import { html } from "../vendor/vendor.js";
import { copy } from "../shared/clipboard.js";
import { duration, iso, shortId, time } from "../shared/format.js";
import { eventText } from "../shared/router.js";
import { follow } from "../shared/links.js";
import { Differences } from "../shared/offplan.js";
import { Shape } from "../shared/shapes.js";
import { member, nanoseconds, text } from "./members.js";
import { attributes, isFailure, kindOf, offset } from "./timeline.js";

/** @typedef {import("../shared/api.js").Moment} Moment */
/** @typedef {import("./timeline.js").Row} Row */
/** @typedef {import("./timeline.js").Change} Change */
/** @typedef {import("../shared/router.js").Router} Router */

const SHOWN_ATTRIBUTES = 6;
const SLOW_PAINT_MS = 2_500;

/** @param {{change: Change | undefined}} props */
function Identity({ change }) {
  if (!change) return null;
  const parts = [change.usr !== null && `usr.id appears: ${change.usr}`, change.account !== null && `account.id appears: ${change.account}`];
  return html`${parts.filter(Boolean).map((part) => html`<p class="appears" key=${part}>${part}</p>`)}
    ${change.gone && html`<p class="gone-id">usr.id is gone: nobody is signed in</p>`}`;
}

/** @param {unknown[]} parts */
const dotted = (parts) => parts.filter(Boolean).map((part, i) => html`<span key=${i}>${i > 0 && " · "}${part}</span>`);

/** @param {Moment} moment @returns {string | null} where a visit came from, if not from the site itself */
function cameFrom(moment) {
  try {
    const [here, there] = [new URL(text(moment, "view", "url") ?? ""), new URL(text(moment, "view", "referrer") ?? "")];
    return here.origin === there.origin ? null : `came from ${there.host}`;
  } catch {
    return null;
  }
}

/** What the rows of one session have in common; `several`: which words tell apart what happened in more than one place.
 * @typedef {{start: number, changes: Map<Moment, Change>, router: Router, several: {hosts: boolean, services: boolean}}} Around */

/** @param {Moment} moment @returns {string | null} */
export function hostOf(moment) {
  try {
    return new URL(text(moment, "view", "url") ?? "").host;
  } catch {
    return null;
  }
}

/** @param {Moment} moment @param {boolean} open @param {boolean} named whether the host is worth a word */
function pageFacts(moment, open, named) {
  const paint = nanoseconds(moment, "view", "largest_contentful_paint");
  const slow = paint !== null && paint > SLOW_PAINT_MS;
  return dotted([
    named && hostOf(moment),
    open ? "open now" : moment.duration_ms !== null && `stayed ${duration(moment.duration_ms)}`,
    paint !== null && html`<span class=${slow ? "late" : ""}>LCP ${duration(paint)}${slow ? ", slow" : ""}</span>`,
    text(moment, "view", "loading_type") === "route_change" && "without a page load",
    cameFrom(moment),
  ]);
}

/** @param {Moment} moment @returns {string} */
function actionTitle(moment) {
  const type = moment.detail ?? "action";
  const name = text(moment, "action", "target", "name");
  if (!name) return type;
  return type === "custom" ? `“${name}”` : `${type} on “${name}”`;
}

/** @param {Moment} moment */
function actionFacts(moment) {
  const frustrations = member(moment, "action", "frustration", "type");
  const words = Array.isArray(frustrations) ? frustrations.map((each) => String(each).replaceAll("_", " ")) : [];
  return words.map((word) => html`<span class="late" key=${word}>${word}</span>`);
}

/** The place in the code where it was thrown. @param {Moment} moment @returns {string | null} */
function thrownAt(moment) {
  const frame = (text(moment, "error", "stack") ?? "").split("\n").find((line) => line.includes(" @ ")) ?? "";
  const found = /([^/\s@:]+:\d+)(?::\d+)?\s*$/.exec(frame);
  return found ? found[1] : null;
}

/** @param {Moment} moment */
const errorFacts = (moment) => dotted([thrownAt(moment), text(moment, "error", "source"), text(moment, "error", "handling")]);

/** @param {Moment} moment @param {boolean} open @param {boolean} named @returns {{title: unknown, facts: unknown, bad: boolean}} */
function browserWords(moment, open, named) {
  if (moment.kind === "view") return { title: html`<span class="mono">${moment.name}</span>`, facts: pageFacts(moment, open, named), bad: false };
  if (moment.kind === "action") return { title: actionTitle(moment), facts: actionFacts(moment), bad: false };
  if (moment.kind === "error") {
    const type = text(moment, "error", "type");
    return { title: type && !moment.name.startsWith(type) ? `${type}: ${moment.name}` : moment.name, facts: errorFacts(moment), bad: true };
  }
  if (moment.kind === "resource") {
    const bad = Number(member(moment, "resource", "status_code")) >= 400;
    const facts = dotted([html`<span class=${bad ? "bad" : ""}>${moment.detail}</span>`, moment.duration_ms !== null && duration(moment.duration_ms), moment.trace_id && html`<${Trace} moment=${moment} />`]);
    return { title: html`<span class="mono">${moment.name}</span>`, facts, bad };
  }
  return { title: moment.name, facts: dotted([moment.detail, moment.duration_ms !== null && duration(moment.duration_ms)]), bad: false };
}

/** @param {{moment: Moment}} props */
function Trace({ moment }) {
  const { trace_id: trace } = moment;
  if (trace === null) return null;
  return html`<button type="button" class="trace" title=${`Copy trace id ${trace}`} onClick=${() => void copy(trace, "trace id")}>trace <span class="mono">${shortId(trace)}</span></button>`;
}

/** @param {{moment: Moment, open: boolean, around: Around}} props */
function BrowserMoment({ moment, open, around }) {
  const kind = kindOf(moment);
  const { title, facts, bad } = browserWords(moment, open, around.several.hosts);
  return html`<div class=${`in-browser k-${kind}${bad ? " failed" : ""}`}>
    <${Shape} kind=${kind} />
    <div class="what">
      <p class="name"><span class="unseen">${kind}: </span>${title}</p>
      ${facts && html`<p class="facts">${facts}</p>`}
      <${Identity} change=${around.changes.get(moment)} />
    </div>
  </div>`;
}

/** @param {Moment} moment @returns {string | null} */
function job(moment) {
  const [name, queue] = [text(moment, "job", "name") ?? text(moment, "job", "task"), text(moment, "job", "queue")];
  if (!name && !queue) return null;
  return `${name ? `job ${name}` : "background job"}${queue ? `, queue ${queue}` : ""}`;
}

/** @param {{moment: Moment, after: number | null, around: Around}} props */
function ServerMoment({ moment, after, around: { changes, router, several } }) {
  const { pairs, more } = attributes(moment, SHOWN_ATTRIBUTES);
  const address = `/?event=${moment.row === null ? "" : eventText(moment.row)}`;
  const open = () => router.go({ path: "/", q: "", event: moment.row, at: null, kinds: null }, { push: true });
  return html`<article class=${`on-server${isFailure(moment) ? " failed" : ""}`}>
    <${Shape} kind="server" />
    <div class="what">
      <p class="name">
        <span class="unseen">server event: </span><a class="mono" data-stop href=${address} title="Open the event" onClick=${(/** @type {MouseEvent} */ event) => follow(event, open)}>${moment.name}</a>
        ${after !== null && " "}${after !== null && html`<span class="after" title=${iso(moment.at)}>${after < 0 ? "" : "+"}${duration(after)}</span>`}
      </p>
      ${pairs.length > 0 &&
      html`<p class="pairs-line">${pairs.map(([path, value]) => html`<span class="pair" key=${path}><span class="faint">${path}</span> ${value}</span> `)}${more > 0 && html`<span class="faint">and ${more} more</span>`}</p>`}
      ${moment.off_plan && html`<${Differences} offPlan=${moment.off_plan} />`}
      <${Identity} change=${changes.get(moment)} />
      ${(moment.trace_id || job(moment) || several.services) && html`<p class="facts">${dotted([several.services && moment.detail, job(moment), moment.trace_id && html`<${Trace} moment=${moment} />`])}</p>`}
    </div>
  </article>`;
}

/** @param {{row: Row, open: boolean, pointed: boolean, around: Around}} props `open`: the page is looked at now */
export function TimelineRow({ row, open, pointed, around }) {
  const { start, router } = around;
  const { browser, server, at, quiet } = row;
  const seconds = Math.max(0, Math.floor((at - start) / 1000));
  return html`${quiet > 0 && html`<li class="quiet-row"><span>${duration(quiet)} without events</span></li>`}
    <li class=${`moment-row${browser ? "" : " server-only"}${pointed ? " pointed" : ""}`} data-at=${at}>
      <div class="left">${browser && html`<${BrowserMoment} moment=${browser} open=${open} around=${around} />`}</div>
      <button type="button" class=${`when${browser ? " from-browser" : ""}${server.length ? " to-server" : ""}`} title=${`${time(at)} · ${iso(at)}: link to this moment`} onClick=${() => router.go({ at: seconds })}>
        <time datetime=${iso(at)}>${offset(at - start)}</time>
      </button>
      <div class="right">
        ${server.map(({ moment, after }) => html`<${ServerMoment} key=${moment.key} moment=${moment} after=${after} around=${around} />`)}
      </div>
    </li>`;
}
