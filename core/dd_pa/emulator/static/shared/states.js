// What stands where rows would: nothing yet, nothing found; and the lines that say what happened to the connection.
import { html } from "../vendor/vendor.js";
import { CopyButton } from "./clipboard.js";
import { djangoSettings, firstEvent, flaskSettings } from "./curl.js";
import { clock, count } from "./format.js";
import { useStore } from "./hooks.js";
import * as icons from "./icons.js";

/** @typedef {import("../live/feed.js").Feed} Feed */

/** @param {{title: string, text: string}} props */
const Snippet = ({ title, text }) => html`<div class="snippet">
  <div class="snippet-head"><h3>${title}</h3><${CopyButton} text=${text} label=${`Copy ${title}`} /></div>
  <pre class="code" tabindex="0" role="region" aria-label=${title}>${text}</pre>
</div>`;

function Waiting() {
  const { origin } = location;
  return html`<div class="state waiting">
    <h2>Waiting for the first event</h2>
    <p>Point your app at this emulator, <code>${origin}</code>, or send one from a terminal. It appears here by itself.</p>
    <${Snippet} title="Terminal" text=${firstEvent(origin)} />
    <${Snippet} title="Django settings" text=${djangoSettings(origin)} />
    <${Snippet} title="Flask settings" text=${flaskSettings(origin)} />
  </div>`;
}

/** @param {{feed: Feed, onClear: () => void, onBrowsers: () => void}} props */
function NoMatch({ feed, onClear, onBrowsers }) {
  const { from, to, q, status, source } = feed.filter;
  if (feed.former.next !== null) {
    return html`<div class="state">
      <h2>None of the newest events matches</h2>
      <p>To look through all that are on disk takes long. A time range makes it quick.</p>
      <button type="button" class="button" onClick=${() => feed.more()}>Look through older ones</button>
    </div>`;
  }
  const cleared = from !== null && to === null && !q && status === "all";
  return html`<div class="state">
    <h2>${cleared ? "Nothing since the list was cleared" : "No event matches"}</h2>
    <p>
      ${cleared
        ? `${count(feed.numbers.kept)} older events are kept; new ones appear here by themselves.`
        : `All events kept here were searched, in memory and on disk; new ones are checked as they come.`}
      ${status === "rejected" && " Rejected requests of former runs are not kept."}
      ${!cleared && from !== null && ` Only events received since ${clock(from)} are asked for.`}
    </p>
    ${!cleared && source === "server" && status !== "rejected" && html`<button type="button" class="button" onClick=${onBrowsers}>Search the browser's events too</button>`}
    <button type="button" class="button" onClick=${onClear}>${cleared ? "Show them" : "Clear filters"} <kbd>Esc</kbd></button>
  </div>`;
}

/** @param {{feed: Feed, onClear: () => void, onBrowsers: () => void}} props */
export function Nothing({ feed, onClear, onBrowsers }) {
  useStore(feed);
  const { q, status, from, to } = feed.filter;
  const filtered = q !== "" || status !== "all" || from !== null || to !== null;
  if (!feed.loaded || feed.shown || feed.former.loading) return null;
  if (feed.numbers.received === 0 && !filtered) return html`<${Waiting} />`;
  return feed.rows.length ? null : html`<${NoMatch} feed=${feed} onClear=${onClear} onBrowsers=${onBrowsers} />`;
}

/** @param {{feed: Feed}} props */
export function Banner({ feed }) {
  useStore(feed);
  const dismiss = () => {
    feed.restarted = false;
    feed.changed();
  };
  if (feed.link === "lost") {
    return html`<div class="banner bad">
      <p><b>Connection lost.</b> The emulator does not answer; trying again every ${feed.retrySeconds === 1 ? "second" : `${feed.retrySeconds} seconds`}.
        What is listed stays, and missed events are fetched when it is back.</p>
      <button type="button" class="button small" onClick=${() => feed.stream.retry()}>Try now</button>
    </div>`;
  }
  if (feed.trouble) {
    return html`<div class="banner bad">
      <p><b>Events are not kept for reports.</b> ${feed.trouble}. They wait in memory, the newest 200,000, and are written when it works again.</p>
    </div>`;
  }
  if (!feed.restarted) return null;
  return html`<div class="banner">
    <p><b>The emulator was restarted.</b> What it keeps is listed anew; rejected requests of before are gone.</p>
    <button type="button" class="icon-button" aria-label="Dismiss" onClick=${dismiss}>${icons.close}</button>
  </div>`;
}
