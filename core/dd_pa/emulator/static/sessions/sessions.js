// The Sessions view: the list, or the timeline of the one that the address names.
import { html, useEffect, useMemo } from "../vendor/vendor.js";
import { CopyButton } from "../shared/clipboard.js";
import { djangoBrowser, flaskBrowser, otherBrowser } from "../shared/curl.js";
import { clock, count, day, duration, iso, MISSING } from "../shared/format.js";
import { useNow, useStore } from "../shared/hooks.js";
import { backToList, follow, ROOT, sessionIn, sessionPath } from "../shared/links.js";
import { session as idOf } from "../shared/columns.js";
import { Shape } from "../shared/shapes.js";
import { Search, searchFocus } from "../shared/search.js";
import { Session } from "./session.js";
import { isActive, Who } from "./sessionwords.js";
import { SessionList } from "./sessionlist.js";
import { Banner } from "../shared/states.js";

/** @typedef {import("../shared/views.js").Page} Page */
/** @typedef {import("../shared/api.js").SessionHead} SessionHead */

const counted = /** @type {const} */ ([["page", "view", "pages"], ["action", "action", "actions"], ["error", "error", "errors"], ["server", "server", "server events"]]);

/** @param {{session: SessionHead}} props */
const Counts = ({ session }) =>
  counted.map(
    ([kind, key, words]) => html`<span class=${`count${session.counts[key] ? "" : " none"}`} key=${kind} title=${`${count(session.counts[key])} ${words}`}>
      <${Shape} kind=${kind} /><span>${count(session.counts[key])}</span><span class="unseen">${words}</span>
    </span>`,
  );

/** @param {{session: SessionHead, now: number, onOpen: (id: string) => void}} props */
function Item({ session, now, onOpen }) {
  const { id, start, end, last_page: page } = session;
  const active = isActive(session, now);
  return html`<li>
    <a class="session-row" href=${sessionPath(id)} onClick=${(/** @type {MouseEvent} */ event) => follow(event, () => onOpen(id))}>
      <span class="c-id mono">${idOf(id)}</span>
      <span class="c-who"><${Who} session=${session} /></span>
      <time class="c-start" title=${iso(start)} datetime=${iso(start)}>${day(start)}${clock(start)}</time>
      <span class="c-length">${active && html`<i class="dot" aria-hidden="true"></i>`}<span class="unseen">${active ? "active, " : "length "}</span>${end > start ? duration(end - start) : MISSING}</span>
      <span class="c-counts"><${Counts} session=${session} /></span>
      <span class="c-page">${page ? html`<span class="unseen">last page </span><span class="mono">${page.name}</span>` : html`<span class="faint">no page, server only</span>`}</span>
    </a>
  </li>`;
}

function Empty() {
  const { origin } = location;
  return html`<div class="state waiting in-card">
    <h2>No session yet</h2>
    <p>Let Datadog's browser SDK send to this emulator: a visit to your site then shows here, with your server's events in it.</p>
    ${[["Django settings", djangoBrowser(origin)], ["Flask settings", flaskBrowser(origin)], ["Elsewhere", otherBrowser(origin)]].map(
      ([title, code]) => html`<div class="snippet" key=${title}>
        <div class="snippet-head"><h3>${title}</h3><${CopyButton} text=${code} label=${`Copy ${title}`} /></div>
        <pre class="code" tabindex="0" role="region" aria-label=${title}>${code}</pre>
      </div>`,
    )}
  </div>`;
}

/** @param {{list: SessionList, onClear: () => void}} props */
function Nothing({ list, onClear }) {
  if (!list.loaded || list.sessions.length) return null;
  if (!list.q) return html`<${Empty} />`;
  return html`<div class="state in-card">
    <h2>No session matches</h2>
    <p>A session matches if one of its events does. New ones are checked as they come.</p>
    <button type="button" class="button" onClick=${onClear}>Clear the search <kbd>Esc</kbd></button>
  </div>`;
}

/** @param {{page: Page}} props */
function Sessions({ page }) {
  const { router, feed } = page;
  const { q } = router.place;
  const list = useMemo(() => new SessionList(), []);
  const now = useNow();
  useStore(list);
  useEffect(() => list.follow(), [list]);
  useEffect(() => list.want(q), [list, q]);
  /** @param {string} id */
  const open = (id) => router.go({ path: sessionPath(id), q: "", at: null }, { push: true });
  return html`<main class="page" tabindex="-1">
    <${Banner} feed=${feed} />
    <div class="page-column">
      <div class="page-head">
        <h2>Sessions</h2>
        <span class="found">${list.loaded && `${count(list.total)}${list.q ? " found" : ""}${list.complete ? "" : " in the newest events"}`}</span>
      </div>
      <${Search}
        q=${q}
        problem=${list.problem}
        label="Search sessions by their events"
        placeholder="Search: @usr.id:user-12345 @event.name:payment.failed"
        span=${() => ({ from: 1, to: Date.now() + 86_400_000 })}
        onSearch=${(/** @type {string} */ text) => router.go({ q: text })}
      />
      <div class=${`card session-list${list.problem ? " dimmed" : ""}`}>
        ${list.sessions.length > 0 &&
        html`<div class="session-head" aria-hidden="true"><span>Session</span><span>User, account</span><span>Began</span><span>Length</span><span>Events</span><span>Last page</span></div>
          <ul>
            ${list.sessions.map((session) => html`<${Item} key=${session.id} session=${session} now=${now} onOpen=${open} />`)}
          </ul>`}
        <${Nothing} list=${list} onClear=${() => router.go({ q: "" })} />
        ${list.hasOlder && html`<p class="list-end"><button type="button" class="button" onClick=${() => list.older()}>Show older sessions</button></p>`}
      </div>
    </div>
  </main>`;
}

/** @param {{page: Page}} props */
export function SessionsView({ page }) {
  useStore(page.router);
  const id = sessionIn(page.router.place.path);
  return id === null ? html`<${Sessions} page=${page} />` : html`<${Session} key=${id} id=${id} page=${page} />`;
}

/** Moves the keyboard to the next (+1) or the one before (-1) of what can be walked through. @param {number} step */
function walk(step) {
  const stops = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".session-row, [data-stop]")]);
  const at = stops.findIndex((stop) => stop.contains(document.activeElement));
  stops[Math.max(0, Math.min(stops.length - 1, at + step))]?.focus();
}

/** @param {Page} page @returns {import("../shared/keys.js").Binding[]} */
export function sessionKeys({ router }) {
  const close = () => {
    const { path, q } = router.place;
    if (path !== ROOT) backToList(router);
    else if (q) router.go({ q: "" });
  };
  const top = () => document.querySelector("main")?.scrollTo({ top: 0 });
  return [
    { keys: ["/"], what: "search sessions", run: () => searchFocus.current?.() },
    { keys: ["j", "ArrowDown"], shown: ["j", "↓"], what: "next", run: () => walk(1) },
    { keys: ["k", "ArrowUp"], shown: ["k", "↑"], what: "previous", run: () => walk(-1) },
    { keys: ["Escape"], shown: ["Esc"], what: "back to the list, then clear the search", run: close },
    { keys: ["g"], what: "to the top", run: top },
  ];
}
