// The Live view: search, counts, list and the open event.
import { html, useEffect } from "../vendor/vendor.js";
import { DetailPanel } from "./detail.js";
import { Drops } from "./drops.js";
import { Histogram } from "./histogram.js";
import { useMedia, useStore, useTaken } from "../shared/hooks.js";
import { List } from "./list.js";
import { SearchBar } from "../shared/search.js";
import { Banner, Nothing } from "../shared/states.js";

/** @typedef {import("../shared/views.js").Page} Page */

/** @param {Page} page */
function useFilter({ feed, router }) {
  const { q, status, source, from, to } = router.place;
  useEffect(() => feed.want({ q, status, source, from, to }), [q, status, source, from, to]);
}

/** @param {Page} page */
function useOpened({ feed, router, opened, actions }) {
  const { event } = router.place;
  const boot = useTaken(feed, (store) => store.boot);
  useEffect(() => {
    opened.open(event, boot);
    if (event === null) feed.release("event");
    else feed.hold("event");
    if (event !== null) actions.point(event);
  }, [event, boot]);
}

/** @param {{page: Page}} props */
export function Live({ page }) {
  const { feed, router, opened, actions } = page;
  useStore(router);
  useStore(actions);
  useFilter(page);
  useOpened(page);
  const narrow = useMedia("(max-width: 720px)");
  const covers = useMedia("(max-width: 899.98px)");
  const { place } = router;
  const open = place.event !== null;
  return html`<main class=${open ? "live-view with-detail" : "live-view"}>
    <${SearchBar} feed=${feed} place=${place} actions=${actions} />
    <${Banner} feed=${feed} />
    <${Drops} feed=${feed} />
    <div class="stage">
      <div class="column" inert=${open && covers}>
        <${Histogram} feed=${feed} range=${place} onRange=${actions.range} />
      </div>
      <div class="split">
        <div class="list-area" inert=${open && covers}>
          <${List}
            feed=${feed}
            cursor=${actions.cursor}
            narrow=${narrow}
            onlyRejected=${place.status === "rejected"}
            onOpen=${actions.open}
            onNewest=${actions.newest}
          />
          <${Nothing} feed=${feed} onClear=${actions.clearFilters} onBrowsers=${actions.browsers} />
        </div>
        ${open && html`<${DetailPanel} opened=${opened} feed=${feed} tab=${place.tab} covers=${covers} actions=${actions} />`}
      </div>
    </div>
  </main>`;
}
