// Counts over the last 15 minutes, or of a chosen time before them; drag over it, or click a bar, and the list shows that time only.
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { BUCKET, SPAN } from "./counts.js";
import { clock, count, day, duration, minute } from "../shared/format.js";
import { useSize, useStore } from "../shared/hooks.js";
import * as icons from "../shared/icons.js";
import { CountsTable } from "./countstable.js";
import { usePast } from "./past.js";

/** @typedef {import("./counts.js").Bar} Bar */
/** @typedef {{from: number | null, to: number | null}} Range */

const HEIGHT = 30;
const LEAST_BAR = 4;
const MINUTE = 60_000;
const DAY = 86_400_000;
const FACTORS = [1, 2, 3, 6];

/** Two paths for all bars: 180 elements would be laid out at each event.
 * @param {Bar[]} bars @param {number} width @param {number} peak */
function paths(bars, width, peak) {
  const step = width / bars.length;
  const gap = step > 5 ? 2 : 1;
  let accepted = "", rejected = "";
  bars.forEach((bar, i) => {
    const x = Math.round(i * step);
    const w = Math.max(1, Math.round((i + 1) * step) - x - gap);
    const all = bar.accepted + bar.rejected;
    if (!all) return;
    const tall = Math.max(3, Math.round((all / peak) * HEIGHT));
    const foot = bar.rejected ? Math.min(tall, Math.max(3, Math.round((bar.rejected / peak) * HEIGHT))) : 0;
    if (tall > foot) accepted += `M${x} ${HEIGHT - tall}h${w}v${tall - foot}h${-w}z`;
    if (foot) rejected += `M${x} ${HEIGHT - foot}h${w}v${foot}h${-w}z`;
  });
  return { accepted, rejected };
}

/** @param {Bar[]} bars @param {number} width @returns {{at: number, x: number}[]} bars that have room for their time */
function pastTicks(bars, width) {
  const every = Math.max(1, Math.ceil((bars.length * 110) / Math.max(1, width)));
  return bars.flatMap(({ start }, i) => (i % every === 0 && i > 0 ? [{ at: start, x: Math.round((i * width) / bars.length) }] : [])).filter(({ x }) => x > 40 && x < width - 40);
}

/** @param {number} first @param {number} width @returns {{at: number, x: number}[]} minutes that have room for their name */
function ticks(first, width) {
  const every = (width * MINUTE) / SPAN > 58 ? MINUTE : 5 * MINUTE;
  const found = [];
  for (let at = Math.ceil(first / every) * every; at < first + SPAN; at += every) {
    const x = Math.round(((at - first) / SPAN) * width);
    if (x > 18 && x < width - 18) found.push({ at, x });
  }
  return found;
}

/** @param {Bar[]} bars @param {string} when @returns {string} */
function sentence(bars, when) {
  const accepted = bars.reduce((sum, bar) => sum + bar.accepted, 0);
  const rejected = bars.reduce((sum, bar) => sum + bar.rejected, 0);
  return `Events in ${when}: ${count(accepted)} accepted, ${count(rejected)} rejected.`;
}

/** @param {{range: Range, onRange: (range: Range) => void}} props */
function RangeChip({ range: { from, to }, onRange }) {
  if (from === null && to === null) return null;
  const text = to === null ? `Since ${day(Number(from))}${clock(Number(from))}` : `${from === null ? "…" : `${day(from)}${clock(from)}`} – ${day(to)}${clock(to)}`;
  return html`<button type="button" class="range-chip" aria-label=${`${text}, show all times`} onClick=${() => onRange({ from: null, to: null })}>
    ${text}${icons.close}
  </button>`;
}

/** @param {Range} range @param {number} first @param {number} span @param {number} width */
function selection({ from, to }, first, span, width) {
  if (from === null && to === null) return null;
  /** @param {number} ms */
  const x = (ms) => Math.min(width, Math.max(0, ((ms - first) / span) * width));
  const left = from === null ? 0 : x(from), right = to === null ? width : x(to);
  if (right <= left) return null;
  return html`<div class="selection" style=${{ left: `${left}px`, width: `${Math.max(2, right - left)}px` }}></div>`;
}

/** The range of a drag that may have gone to the left. @param {Range} drag @param {number} barMs @returns {Range} */
function ordered({ from, to }, barMs) {
  return Number(to) > Number(from) ? { from, to } : { from: to, to: Number(from) + barMs };
}

/** @param {{bar: Bar | undefined, width: number, past: boolean}} props */
const Caption = ({ bar, width, past }) => {
  if (!bar) return html`<span>${past ? "" : "last 15 min · "}${width < 60_000 ? `${width / 1000} s` : duration(width).replace(/ 00[ms]$/, "")} bars</span>`;
  return html`<span
    >${day(bar.start)}${clock(bar.start)} · ${count(bar.accepted)} accepted${bar.rejected > 0 && html` · <b class="bad">${count(bar.rejected)} rejected</b>`}</span
  >`;
};

/** @param {{feed: import("./feed.js").Feed, range: Range, onRange: (range: Range) => void}} props */
export function Histogram({ feed, range, onRange }) {
  useStore(feed);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { width } = useSize(box);
  const [hover, setHover] = useState(-1);
  const [drag, setDrag] = useState(/** @type {Range | null} */ (null));
  const [open, setOpen] = useState(false);
  const [, tick] = useState(0);
  const still = useRef({ end: 0, bars: /** @type {Bar[]} */ ([]) });
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), BUCKET);
    return () => clearInterval(timer);
  }, []);

  const factor = FACTORS.find((n) => (width / SPAN) * BUCKET * n >= LEAST_BAR) ?? 6;
  const past = usePast(feed);
  const barMs = past?.barMs ?? BUCKET * factor;
  // Paused, the chart stands still with the list.
  if (past) still.current = { end: 0, bars: past.bars };
  else if (!feed.holds.has("pause") || still.current.bars.length !== SPAN / barMs) {
    const end = feed.counts.end();
    still.current = { end, bars: feed.counts.bars(end, barMs) };
  }
  const { bars } = still.current;
  const first = bars[0].start;
  const peak = 1.12 * Math.max(4, ...bars.map((bar) => bar.accepted + bar.rejected));
  const { accepted, rejected } = paths(bars, width, peak);

  /** @param {PointerEvent} event @returns {number} */
  const barAt = (event) => {
    const x = event.clientX - /** @type {HTMLElement} */ (box.current).getBoundingClientRect().left;
    return Math.min(bars.length - 1, Math.max(0, Math.floor((x / width) * bars.length)));
  };
  /** @param {PointerEvent} event */
  const onPointerDown = (event) => {
    if (event.button !== 0) return;
    const { start } = bars[barAt(event)];
    box.current?.setPointerCapture(event.pointerId);
    setDrag({ from: start, to: start + barMs });
  };
  /** @param {PointerEvent} event */
  const onPointerMove = (event) => {
    const i = barAt(event);
    setHover(i);
    if (!drag) return;
    setDrag({ ...drag, to: bars[i].start + (bars[i].start >= Number(drag.from) ? barMs : 0) });
  };
  const onPointerUp = () => {
    if (!drag) return;
    setDrag(null);
    onRange(ordered(drag, barMs));
  };

  return html`<section class="histogram" aria-label="Events over time">
    <div class="histogram-head">
      <${RangeChip} range=${range} onRange=${onRange} />
      <span class="spring"></span>
      <${Caption} bar=${hover >= 0 ? bars[hover] : undefined} width=${barMs} past=${past !== null} />
      <button type="button" class="plain small" onClick=${() => setOpen(true)}>as table</button>
    </div>
    <div
      class="plot"
      ref=${box}
      onPointerDown=${onPointerDown}
      onPointerMove=${onPointerMove}
      onPointerUp=${onPointerUp}
      onPointerCancel=${() => setDrag(null)}
      onPointerLeave=${() => setHover(-1)}
    >
      ${selection(drag ? ordered(drag, barMs) : past ? { from: null, to: null } : range, first, barMs * bars.length, width)}
      <svg width=${width} height=${HEIGHT} role="img" aria-label=${sentence(bars, past ? "this time" : "the last 15 minutes")}>
        <path class="bars" d=${accepted} /><path class="bars rejected" d=${rejected} />
      </svg>
      <div class="ticks" aria-hidden="true">
        ${(past ? pastTicks(bars, width) : ticks(first, width)).map(({ at, x }) => html`<span key=${at} style=${{ left: `${x}px` }}>${past && day(at)}${barMs < DAY && minute(at)}</span>`)}
      </div>
    </div>
    ${open && html`<${CountsTable} bars=${bars} step=${Math.max(MINUTE, barMs)} onRange=${onRange} onClose=${() => setOpen(false)} />`}
  </section>`;
}
