// Puts the page together.
import { html, render, useEffect, useMemo, useState } from "./vendor/vendor.js";
import { Actions } from "./shared/actions.js";
import { Voice } from "./shared/announce.js";
import { Feed } from "./live/feed.js";
import { Help } from "./shared/help.js";
import { useStore } from "./shared/hooks.js";
import { commonKeys, listen } from "./shared/keys.js";
import { Opened } from "./live/opened.js";
import { Router } from "./shared/router.js";
import { switchTheme, theme } from "./shared/theme.js";
import { TopBar } from "./shared/topbar.js";
import { viewAt, views } from "./shared/views.js";

const feed = new Feed();
const router = new Router();
const opened = new Opened();
const actions = new Actions(feed, router, opened);
// Before anything is drawn: rows are what the reader waits for. In other views their own questions come first.
if (router.place.path === "/") feed.want(router.place);
else feed.follow();
const page = { feed, router, opened, actions };

function App() {
  useStore(router);
  const [dark, setDark] = useState(theme() === "dark");
  const [help, setHelp] = useState(false);
  const view = viewAt(router.place.path);
  const turn = () => setDark(switchTheme() === "dark");
  /** @param {import("./shared/views.js").View} wanted */
  const go = (wanted) => router.visit(wanted.path);
  const keys = useMemo(() => [...view.keys(page), ...commonKeys({ views, go, theme: turn, help: () => setHelp(true) })], [view]);
  useEffect(() => listen(keys), [keys]);
  useEffect(() => {
    document.title = `${view.title} · Product Analytics local`;
  }, [view]);
  return html`<${TopBar} feed=${feed} views=${views} view=${view} dark=${dark} onView=${go} onTheme=${turn} onHelp=${() => setHelp(true)} />
    <${view.component} page=${page} />
    ${help && html`<${Help} list=${keys} onClose=${() => setHelp(false)} />`}
    <${Voice} />`;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
