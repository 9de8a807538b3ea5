// The open event: who, what, why it was refused, and its three faces.
import { html, useEffect, useRef } from "../vendor/vendor.js";
import { SEQ, SESSION, STATUS, REASON, NAME, USER, ACCOUNT, RECEIVED } from "../shared/api.js";
import { ACCEPTED, session, statusText } from "../shared/columns.js";
import { Delivery } from "./delivery.js";
import { Facets } from "./facets.js";
import { iso, MISSING, time } from "../shared/format.js";
import { useStore, useTaken } from "../shared/hooks.js";
import * as icons from "../shared/icons.js";
import { Json } from "./json.js";
import { follow, sessionPath } from "../shared/links.js";
import { Differences } from "../shared/offplan.js";

/** @typedef {import("../shared/api.js").Summary} Summary */
/** @typedef {import("../shared/api.js").Detail} Detail */
/** @typedef {{seq: number, received: number, status: number, reason: string | null, name: string | null,
 *   usr: string | null, account: string | null, session: string | null}} Known what is known before the body is here */

/** @param {Summary | undefined} row @param {Detail | null} detail @returns {Known | null} */
function known(row, detail) {
  if (detail) return { ...detail, received: detail.received_ms };
  if (!row) return null;
  return {
    seq: row[SEQ], received: row[RECEIVED], status: row[STATUS], reason: row[REASON],
    name: row[NAME], usr: row[USER], account: row[ACCOUNT], session: row[SESSION],
  };
}

const tabs = /** @type {const} */ ([["event", "Event"], ["facets", "Facets"], ["delivery", "Delivery"]]);

/** @param {{label: string, path: string, value: string | null, actions: import("../shared/actions.js").Actions, children?: unknown}} props */
function Who({ label, path, value, actions, children }) {
  return html`<dt>${label}</dt>
    <dd>
      ${value === null
        ? MISSING
        : html`<button type="button" class="who" title=${`Only ${path}:${value}`} onClick=${() => actions.filter(path, value)}>
            ${children ?? value}
          </button>`}
    </dd>`;
}

/** @param {{event: Known, actions: import("../shared/actions.js").Actions}} props */
function Head({ event, actions }) {
  const rejected = event.status !== ACCEPTED;
  return html`<header class="detail-head">
    <h2>
      ${event.name === null
        ? html`<span class="faint">no event name</span>`
        : html`<button type="button" class="who" title="Only events of this name" onClick=${() => actions.filter("event.name", event.name)}>${event.name}</button>`}
    </h2>
    <div class="whom">
      <dl class="pairs">
        <${Who} label="User" path="usr.id" value=${event.usr} actions=${actions} />
        <${Who} label="Account" path="account.id" value=${event.account} actions=${actions} />
        <${Who} label="Session" path="session.id" value=${event.session} actions=${actions}>${session(event.session)}<//>
      </dl>
      ${event.session !== null &&
      html`<span class="of-session">
        <a class="button" href=${sessionPath(event.session)} onClick=${(/** @type {MouseEvent} */ click) => follow(click, () => actions.openSession(/** @type {string} */ (event.session)))}>Open timeline</a>
        <button type="button" class="button" onClick=${() => actions.onlySession()}>Only this session</button>
      </span>`}
    </div>
    ${rejected && html`<p class="why-rejected"><b>Why rejected:</b> ${event.reason ?? `answered ${statusText(event.status)}`}</p>`}
  </header>`;
}

/** @param {{current: string, actions: import("../shared/actions.js").Actions}} props */
function Tabs({ current, actions }) {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([id]) => id === current);
    const [id] = tabs[(at + step + tabs.length) % tabs.length];
    actions.tab(id);
    document.getElementById(`tab-${id}`)?.focus();
  };
  return html`<div role="tablist" aria-label="Event" onKeyDown=${onKeyDown}>
    ${tabs.map(
      ([id, title]) => html`<button
        type="button"
        role="tab"
        key=${id}
        id=${`tab-${id}`}
        aria-selected=${current === id ? "true" : "false"}
        aria-controls="detail-body"
        tabindex=${current === id ? 0 : -1}
        onClick=${() => actions.tab(id)}
      >
        ${title}
      </button>`,
    )}
  </div>`;
}

/** @param {{detail: Detail, tab: string, actions: import("../shared/actions.js").Actions}} props */
function Body({ detail, tab, actions }) {
  if (tab === "facets") return html`<${Facets} facets=${detail.facets} onFilter=${actions.filter} />`;
  if (tab === "delivery") return html`<${Delivery} detail=${detail} onOpen=${actions.open} />`;
  if (detail.body !== null) return html`<${Json} value=${detail.body} offending=${detail.reason_path} />`;
  if (detail.raw) return html`<p class="quiet">Not JSON; as it came:</p><pre class="code raw">${detail.raw}</pre>`;
  return html`<p class="quiet">No body was kept.</p>`;
}

/** @param {{why: string}} props */
const Gone = ({ why }) => html`<div class="state" role="note">
  <h2>No longer kept</h2>
  <p>${why}</p>
</div>`;

/** @param {{opened: import("./opened.js").Opened, actions: import("../shared/actions.js").Actions, detail: Detail, tab: string}} props */
const Ready = ({ actions, detail, tab }) => html`<div class="detail-plan"><${Differences} offPlan=${detail.off_plan} /></div>
  <div class="detail-tabs">
    <${Tabs} current=${tab} actions=${actions} />
    <span class="copies">
      <button type="button" class="plain" onClick=${actions.copyJson}>Copy JSON</button>
      <button type="button" class="plain" onClick=${actions.copyCurl}>Copy as curl</button>
    </span>
  </div>
  <div id="detail-body" role="tabpanel" aria-labelledby=${`tab-${tab}`} class="detail-body" key=${detail.seq}>
    <${Body} detail=${detail} tab=${tab} actions=${actions} />
  </div>`;

/** @param {{opened: import("./opened.js").Opened, feed: import("./feed.js").Feed, tab: string, covers: boolean,
 *   actions: import("../shared/actions.js").Actions}} props */
export function DetailPanel({ opened, feed, tab, covers, actions }) {
  useStore(opened);
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const { phase, detail, why, slow, seq } = opened;
  const row = useTaken(feed, ({ rows }) => (seq === null ? undefined : rows.all[rows.position(seq)]));
  const event = phase === "gone" ? null : known(row, detail);

  useEffect(() => {
    if (panel.current && !detail?.reason_path) panel.current.scrollTop = 0;
  }, [seq, tab]);
  // Where the panel covers the list, the keyboard must not stay behind it.
  useEffect(() => {
    if (covers) panel.current?.focus({ preventScroll: true });
  }, [covers]);

  return html`<section class="detail" aria-label="Event" tabindex="0" ref=${panel}>
    <div class="detail-bar">
      ${event && html`<span class=${`chip ${event.status === ACCEPTED ? "ok" : "bad"}`}>${statusText(event.status)} ${event.status === ACCEPTED ? "accepted" : "rejected"}</span>
        <time class="mono" title=${iso(event.received)}>${time(event.received)}</time>`}
      <span class="spring"></span>
      <button type="button" class="icon-button" aria-label="Newer event" title="Newer (k)" onClick=${() => actions.move(-1)}>${icons.up}</button>
      <button type="button" class="icon-button" aria-label="Older event" title="Older (j)" onClick=${() => actions.move(1)}>${icons.down}</button>
      <button type="button" class="icon-button" aria-label="Close" title="Close (Esc)" onClick=${actions.close}>${icons.close}</button>
    </div>
    ${event && html`<${Head} event=${event} actions=${actions} />`}
    ${phase === "gone" && html`<${Gone} why=${why} />`}
    ${phase === "failed" &&
    html`<div class="state" role="note"><h2>Could not be read</h2><p>${why}</p><button type="button" class="button" onClick=${() => opened.retry()}>Try again</button></div>`}
    ${phase === "loading" && slow && html`<p class="quiet">Reading…</p>`}
    ${phase === "ready" && detail && html`<${Ready} opened=${opened} actions=${actions} detail=${detail} tab=${tab} />`}
  </section>`;
}
