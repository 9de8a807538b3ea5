// Mark, name, views, connection, theme, help.
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { announce } from "./announce.js";
import { rate } from "./format.js";
import { useStore } from "./hooks.js";
import * as icons from "./icons.js";

/** @typedef {import("../live/feed.js").Feed} Feed */
/** @typedef {import("./views.js").View} View */

const PATIENCE_MS = 1_000;

/** @param {Feed} feed @param {boolean} slow @returns {{kind: string, text: string}} */
function state(feed, slow) {
  if (feed.link === "lost") return { kind: "lost", text: "Disconnected" };
  if (feed.holds.has("pause")) return { kind: "paused", text: "Paused" };
  if (feed.link === "live") return { kind: "live", text: `Live · ${rate(feed.rate)}` };
  return { kind: "connecting", text: slow ? "Connecting" : "" };
}

/** @param {{feed: Feed}} props */
function Connection({ feed }) {
  useStore(feed);
  const [slow, setSlow] = useState(false);
  const before = useRef(feed.link);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (feed.link === "lost") announce("Connection lost");
    else if (feed.link === "live" && before.current === "lost") announce(feed.restarted ? "Connected again, the emulator was restarted" : "Connected again");
    before.current = feed.link;
  }, [feed.link]);
  const { kind, text } = state(feed, slow);
  return html`<span class=${`connection ${kind}`} title=${text}><i aria-hidden="true"></i><span class="label">${text}</span></span>`;
}

/** @param {{feed: Feed, views: View[], view: View, dark: boolean, onView: (view: View) => void, onTheme: () => void, onHelp: () => void}} props */
export function TopBar({ feed, views, view, dark, onView, onTheme, onHelp }) {
  /** @param {MouseEvent} event @param {View} wanted */
  const go = (event, wanted) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onView(wanted);
  };
  const tabs = useRef(/** @type {HTMLElement | null} */ (null));
  // On a narrow page the tabs scroll: the one that is shown must be seen.
  useEffect(() => tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [view]);
  return html`<header class="topbar">
    <h1>${icons.mark}<span class="name">Product Analytics <span class="faint">local</span></span></h1>
    <nav aria-label="Views" ref=${tabs}>
      ${views.map(
        (each) => html`<a
          key=${each.path}
          href=${each.path}
          aria-current=${each === view ? "page" : undefined}
          onClick=${(/** @type {MouseEvent} */ event) => go(event, each)}
          >${each.title}</a
        >`,
      )}
    </nav>
    <span class="spring"></span>
    <${Connection} feed=${feed} />
    <button type="button" class="icon-button" aria-label=${dark ? "Light theme" : "Dark theme"} title="Light or dark (t)" onClick=${onTheme}>
      ${dark ? icons.sun : icons.moon}
    </button>
    <button type="button" class="icon-button" aria-label="Keyboard help" title="Keyboard (?)" onClick=${onHelp}>${icons.help}</button>
  </header>`;
}
