// One session as a timeline: what happened in the browser, and beside it what that led to on the server.
import { html, useEffect, useMemo } from "../vendor/vendor.js";
import { copy } from "../shared/clipboard.js";
import { session as idOf } from "../shared/columns.js";
import { clock, count, day, duration, iso } from "../shared/format.js";
import { useNow, useStore } from "../shared/hooks.js";
import * as icons from "../shared/icons.js";
import { Minimap } from "./minimap.js";
import { hostOf } from "./momentrow.js";
import { Moments } from "./moments.js";
import { OpenSession } from "./opensession.js";
import { backToList, follow, ROOT } from "../shared/links.js";
import { PersonTrail } from "./persontrail.js";
import { isActive, Who } from "./sessionwords.js";
import { Shape } from "../shared/shapes.js";
import { Banner } from "../shared/states.js";
import { allKinds, identityChanges, kindOf, rowsOf, usualKinds } from "./timeline.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("./timeline.js").Kind} Kind */
/** @typedef {import("../shared/api.js").SessionDetail} SessionDetail */

/** @type {Record<Kind, string>} */
const words = { page: "Pages", action: "Actions", error: "Errors", request: "Requests", task: "Long tasks", server: "Server events" };

/** @param {string | null} text @returns {Set<Kind>} */
const kindsIn = (text) => new Set(text === null ? usualKinds : allKinds.filter((kind) => text.split(",").includes(kind)));

/** @param {{id: string, what: string, children: unknown}} props */
const Id = ({ id, what, children }) =>
  html`<span class="id"><span title=${id}>${children}</span><button type="button" class="icon-button tiny" aria-label=${`Copy ${what}`} title=${`Copy ${what}`} onClick=${() => void copy(id, what)}>${icons.copy}</button></span>`;

/** @param {{detail: SessionDetail}} props */
function People({ detail: { session } }) {
  const { usr, account, anonymous_id: anonymous, browser, sdk_version: sdk, service } = session;
  const machine = [browser?.name && [browser.name, browser.version].filter(Boolean).join(" "), browser?.os, sdk && `browser-rum ${sdk}`, service].filter(Boolean);
  return html`<div class="people">
    ${usr && html`<${Id} id=${usr.id} what="user id"><span class="faint">user </span><span class="mono">${usr.id}</span>${usr.name && html` <span class="faint">${usr.name}</span>`}<//>`}
    ${account && html`<${Id} id=${account.id} what="account id"><span class="faint">account </span><span class="mono">${account.id}</span><//>`}
    ${!usr && !account && (anonymous ? html`<${Id} id=${anonymous} what="anonymous id"><${Who} session=${session} /><//>` : html`<${Who} session=${session} />`)}
    ${machine.map((text) => html`<span class="fact" key=${text}>${text}</span>`)}
  </div>`;
}

/** @param {{value: string, word: string, bad?: boolean}} props */
const Figure = ({ value, word, bad }) => html`<div class=${`figure${bad ? " bad" : ""}`}><dd>${value}</dd><dt>${word}</dt></div>`;

/** @param {{detail: SessionDetail}} props */
function Head({ detail }) {
  const { session } = detail;
  const { counts, start, end } = session;
  return html`<header class="session-title">
    <div>
      <h2><${Id} id=${session.id} what="session id"><span class="mono">${idOf(session.id)}</span><//></h2>
      <${People} detail=${detail} />
      <p class="faint"><time title=${iso(start)} datetime=${iso(start)}>${day(start)}${clock(start)}</time> – <time title=${iso(end)} datetime=${iso(end)}>${clock(end)}</time></p>
    </div>
    <dl class="figures">
      <${Figure} value=${duration(end - start)} word="duration" />
      <${Figure} value=${count(counts.view)} word=${counts.view === 1 ? "view" : "views"} />
      <${Figure} value=${count(counts.server)} word=${counts.server === 1 ? "server event" : "server events"} />
      <${Figure} value=${count(counts.error)} word=${counts.error === 1 ? "error" : "errors"} bad=${counts.error > 0} />
    </dl>
  </header>`;
}

/** @param {{numbers: Map<Kind, number>, shown: Set<Kind>, onSwitch: (kind: Kind) => void}} props */
const Switches = ({ numbers, shown, onSwitch }) => html`<div class="switches" role="group" aria-label="Kinds of events">
  ${allKinds
    .filter((kind) => numbers.has(kind))
    .map(
      (kind) => html`<button type="button" key=${kind} class="switch" aria-pressed=${shown.has(kind) ? "true" : "false"} onClick=${() => onSwitch(kind)}>
        <${Shape} kind=${kind} />${words[kind]} <span class="faint">${count(numbers.get(kind) ?? 0)}</span>
      </button>`,
    )}
</div>`;

/** @param {SessionDetail} detail @returns {Map<Kind, number>} */
function numbersOf({ events }) {
  /** @type {Map<Kind, number>} */
  const numbers = new Map();
  for (const event of events) numbers.set(kindOf(event), (numbers.get(kindOf(event)) ?? 0) + 1);
  return numbers;
}

/** @param {import("../shared/api.js").Moment[]} events @returns {number} */
const hostsIn = (events) => new Set(events.filter(({ kind }) => kind === "view").map(hostOf)).size;

/** @param {import("../shared/api.js").Moment[]} events @returns {number} */
const servicesIn = (events) => new Set(events.filter(({ kind }) => kind === "server").map(({ detail }) => detail)).size;

/** @param {{detail: SessionDetail, page: Page}} props */
function Timeline({ detail, page }) {
  const { router } = page;
  const { at, kinds } = router.place;
  const { session, events } = detail;
  const shown = useMemo(() => kindsIn(kinds), [kinds]);
  const rows = useMemo(() => rowsOf(events, shown), [events, shown]);
  const around = useMemo(
    () => ({ start: session.start, changes: identityChanges(events), router, several: { hosts: hostsIn(events) > 1, services: servicesIn(events) > 1 } }),
    [events, session.start],
  );
  const now = useNow();
  const active = isActive(session, now);
  const last = events.findLast((event) => event.kind === "view");
  const looking = last !== undefined && isActive({ end: last.at + (last.duration_ms ?? 0) }, now);
  /** @param {Kind} kind */
  const turn = (kind) => {
    const next = new Set(shown);
    if (!next.delete(kind)) next.add(kind);
    const names = allKinds.filter((each) => next.has(each)).join(",");
    router.go({ kinds: names === usualKinds.join(",") ? null : names });
  };
  /** @param {number} moment epoch ms */
  const point = (moment) => router.go({ at: Math.max(0, Math.floor((moment - session.start) / 1000)) });
  return html`<section class="card map-card" aria-label="Overview">
      <${Minimap} events=${events} start=${session.start} end=${session.end} shown=${shown} onPoint=${point} />
      <${Switches} numbers=${numbersOf(detail)} shown=${shown} onSwitch=${turn} />
    </section>
    <section class="card timeline" aria-label="Timeline">
      <div class="timeline-head" aria-hidden="true"><span>In the browser</span><span class="faint">time</span><span>On the server</span></div>
      <${Moments} rows=${rows} at=${at === null ? null : session.start + at * 1000 + 999} open=${looking ? last : undefined} around=${around} />
      ${rows.length === 0 && html`<p class="list-end">No event of the kinds that are switched on.</p>`}
      ${active && html`<p class="list-end still-open"><i class="dot" aria-hidden="true"></i>What happens next appears here.</p>`}
    </section>`;
}

/** @param {{title: string, why: string, onRetry?: () => void}} props */
const Instead = ({ title, why, onRetry }) => html`<div class="card"><div class="state in-card">
  <h2>${title}</h2>
  <p>${why}</p>
  ${onRetry && html`<button type="button" class="button" onClick=${onRetry}>Try again</button>`}
</div></div>`;

/** @param {{id: string, page: Page}} props */
export function Session({ id, page }) {
  const { router, feed } = page;
  const open = useMemo(() => new OpenSession(id), [id]);
  useStore(open);
  useEffect(() => open.follow(), [open]);
  const events = () => router.go({ path: "/", source: "all", q: `@session.id:${id}`, at: null, kinds: null }, { push: true });
  return html`<main class="page" tabindex="-1">
    <${Banner} feed=${feed} />
    <div class="page-column">
      <nav class="crumbs" aria-label="Where you are">
        <a href=${ROOT} onClick=${(/** @type {MouseEvent} */ event) => follow(event, () => backToList(router))}>${icons.back}All sessions</a>
        <span class="spring"></span>
        <a href=${`/?source=all&q=${encodeURIComponent(`@session.id:${id}`)}`} onClick=${(/** @type {MouseEvent} */ event) => follow(event, events)}>Its events in Live</a>
      </nav>
      ${open.phase === "ready" && open.detail && html`<${Head} detail=${open.detail} /><${PersonTrail} session=${open.detail.session} router=${router} /><${Timeline} detail=${open.detail} page=${page} />`}
      ${open.phase === "gone" &&
      html`<${Instead} title="No longer kept" why="No event of this session is here: it may be one of before the emulator was started or cleared, or newer sessions took its place." />`}
      ${open.phase === "failed" && html`<${Instead} title="Could not be read" why=${open.why} onRetry=${() => open.refresh.now()} />`}
    </div>
  </main>`;
}
