// The list: newest on top, only what can be seen is in the document.
import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { SEQ } from "../shared/api.js";
import { layout } from "../shared/columns.js";
import { count } from "../shared/format.js";
import { useSize, useStore } from "../shared/hooks.js";
import * as icons from "../shared/icons.js";
import { Row } from "./row.js";
import { LIMIT } from "./rows.js";

/** @typedef {import("./feed.js").Feed} Feed */

const ROW = 32;
const TALL_ROW = 52;
const OVERSCAN = 6;
const NEAR_END = 600;

/** Scrolls so that a row is whole in view; does nothing where it is. Set by the list that is mounted.
 * @type {{current: ((seq: number) => void) | null, top: (() => void) | null, focus: (() => void) | null}} */
export const scroller = { current: null, top: null, focus: null };

/** @param {{feed: Feed}} props */
function Footer({ feed }) {
  const { received, kept } = feed.numbers;
  const { former } = feed;
  if (!feed.complete) return html`<p class="list-end">Loading older events: ${count(feed.rows.length)} of ${count(feed.matches)}</p>`;
  if (former.problem) return html`<p class="list-end">Older events could not be searched: ${former.problem}.</p>`;
  if (former.loading) return html`<p class="list-end">Looking for older events …</p>`;
  if (former.next !== null && feed.rows.length < LIMIT) {
    const shown = feed.mayBeMore ? `${count(feed.rows.length)} of the newest; to count all takes long` : `${count(feed.rows.length)} of ${count(feed.matches)}`;
    return html`<p class="list-end"><button type="button" class="button small" onClick=${() => feed.more()}>Show older events</button> ${shown}</p>`;
  }
  if (former.next !== null) return html`<p class="list-end">Showing the newest ${count(feed.rows.length)} ${feed.mayBeMore ? "" : `of ${count(feed.matches)}`}: a time range or a search brings the others.</p>`;
  if (former.total !== 0) return null;
  if (received <= kept && !feed.rows.cut) return null;
  return html`<p class="list-end">
    Showing the newest ${count(Math.min(kept, feed.rows.length))} of ${count(received)}: ${count(received - kept)} older ones are no longer kept.
  </p>`;
}

/** @param {{feed: Feed, layout: import("../shared/columns.js").Layout, onNewest: () => void}} props */
function Head({ feed, layout: { columns, template, twoLines }, onNewest }) {
  const shown = twoLines ? columns.slice(0, 2) : columns;
  const pill = html`<button type="button" class="pill" onClick=${onNewest}>${icons.arrowUp}<span>${count(feed.waiting)} new</span></button>`;
  return html`<div class="list-head" style=${{ gridTemplateColumns: template }}>
    ${shown.map(
      (column) => html`<div key=${column.id} class=${`head c-${column.id}`}>
        <span>${column.title}</span>${column.id === "event" && feed.waiting > 0 && pill}
      </div>`,
    )}
  </div>`;
}

/** @param {{feed: Feed, cursor: number | null, narrow: boolean, onlyRejected: boolean,
 *   onOpen: (seq: number) => void, onNewest: () => void}} props */
export function List({ feed, cursor, narrow, onlyRejected, onOpen, onNewest }) {
  useStore(feed);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const options = useRef(/** @type {HTMLElement | null} */ (null));
  const size = useSize(box);
  const [top, setTop] = useState(0);
  const height = narrow ? TALL_ROW : ROW;
  const shape = useMemo(() => layout(size.width, narrow, onlyRejected), [size.width, narrow, onlyRejected]);

  const shown = feed.shown;
  feed.drawn = shown ? feed.rows.all[shown - 1][SEQ] : 0;
  const total = shown;
  const first = Math.max(0, Math.min(top, total - 1) - OVERSCAN);
  const last = Math.min(total, top + Math.ceil(size.height / height) + OVERSCAN);
  const rows = [];
  for (let i = first; i < last; i++) rows.push(feed.rows.all[shown - 1 - i]);

  const onScroll = useCallback(() => {
    const { scrollTop, clientHeight, scrollHeight } = /** @type {HTMLElement} */ (box.current);
    if (scrollTop > 0) feed.hold("scroll");
    else feed.release("scroll");
    setTop(Math.floor(scrollTop / height));
    if (scrollTop > 0 && scrollTop + clientHeight > scrollHeight - NEAR_END) feed.more();
  }, [feed, height]);

  /** @param {MouseEvent} event */
  const onClick = (event) => {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-seq]");
    if (row instanceof HTMLElement) onOpen(Number(row.dataset.seq));
  };

  // A row that moves between press and release gets no click. The release waits until the click has been heard.
  const onPointerDown = useCallback(() => {
    feed.hold("press");
    const ended = new AbortController();
    const release = () => {
      ended.abort();
      setTimeout(() => feed.release("press"));
    };
    addEventListener("pointerup", release, ended);
    addEventListener("pointercancel", release, ended);
  }, [feed]);

  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    scroller.focus = () => options.current?.focus({ preventScroll: true });
    scroller.top = () => void (element.scrollTop = 0);
    scroller.current = (seq) => {
      const at = feed.rows.position(seq);
      if (at < 0) return;
      const y = (feed.shown - 1 - at) * height;
      if (y < element.scrollTop) element.scrollTop = y;
      else if (y + height > element.scrollTop + element.clientHeight) element.scrollTop = y + height - element.clientHeight;
    };
  }, [feed, height]);

  // Another result starts at its top.
  useLayoutEffect(() => scroller.top?.(), [feed.filter]);

  const active = cursor !== null && rows.some((row) => row[SEQ] === cursor) ? `row-${cursor}` : undefined;
  return html`<section class=${`list${narrow ? " narrow" : ""}${feed.problem ? " dimmed" : ""}${onlyRejected ? " only-rejected" : ""}`}>
    <${Head} feed=${feed} layout=${shape} onNewest=${onNewest} />
    <div class="scroll" ref=${box} onScroll=${onScroll}>
      <div
        class="rows"
        role="listbox"
        aria-label="Events, newest first"
        aria-activedescendant=${active}
        tabindex="0"
        ref=${options}
        onClick=${onClick}
        onPointerDown=${onPointerDown}
        style=${{ height: `${total * height}px` }}
      >
        <div class="window" role="presentation" style=${{ transform: `translateY(${first * height}px)`, "--columns": shape.template }}>
          ${rows.map(
            (row, i) => html`<${Row}
              key=${row[SEQ]}
              row=${row}
              layout=${shape}
              current=${row[SEQ] === cursor}
              fresh=${feed.fresh.has(row[SEQ])}
              position=${first + i + 1}
              total=${total}
            />`,
          )}
        </div>
      </div>
      <${Footer} feed=${feed} />
    </div>
  </section>`;
}
