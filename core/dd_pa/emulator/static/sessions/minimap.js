// The whole session at a glance: pages, what was done there and what failed, and the server's events.
import { html, useRef } from "../vendor/vendor.js";
import { count, duration } from "../shared/format.js";
import { useSize } from "../shared/hooks.js";
import { timescale } from "./timescale.js";
import { isFailure, kindOf, offset } from "./timeline.js";

/** @typedef {import("../shared/api.js").Moment} Moment */
/** @typedef {import("./timeline.js").Kind} Kind */

const LANE = 22;
const LANES = 3;
const LEAST = 3;

/** @type {Record<Kind, number>} */
const laneOf = { page: 0, action: 1, error: 1, request: 1, task: 1, server: 2 };

/** @param {Moment[]} events @param {number} end @returns {{at: number, end: number, key: number}[]} until the next page came */
function stays(events, end) {
  const views = events.filter((event) => event.kind === "view");
  return views.map((view, i) => {
    const next = views[i + 1]?.at ?? end;
    return { key: view.key, at: view.at, end: Math.min(Math.max(view.at + (view.duration_ms ?? 0), view.at), Math.max(next, view.at)) };
  });
}

/** What can be told apart: one mark of a look for each pixel. @param {Moment[]} marks @param {(at: number) => number} x
 * @returns {Map<string, {kind: Kind, look: string, at: number}>} */
function seen(marks, x) {
  const found = new Map();
  for (const event of marks) {
    const kind = kindOf(event);
    const look = kind === "server" && isFailure(event) ? "error" : kind;
    const at = x(event.at);
    found.set(`${kind} ${look} ${Math.round(at)}`, { kind, look, at });
  }
  return found;
}

/** @param {{events: Moment[], start: number, end: number, shown: Set<Kind>, onPoint: (at: number) => void}} props */
export function Minimap({ events, start, end, shown, onPoint }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { width } = useSize(box);
  const pages = shown.has("page") ? stays(events, end) : [];
  const marks = events.filter((event) => event.kind !== "view" && shown.has(kindOf(event)));
  const busy = [...stays(events, end), ...events.map(({ at }) => ({ at, end: at }))];
  const scale = timescale(busy, Math.max(0, width - LEAST));
  const { x } = scale;
  /** @param {MouseEvent} event */
  const onClick = (event) => {
    const { left } = /** @type {HTMLElement} */ (box.current).getBoundingClientRect();
    onPoint(scale.at(event.clientX - left));
  };
  const sentence = `${count(pages.length)} pages and ${count(marks.length)} other events in ${duration(end - start)}`;
  return html`<div class="map">
    <div class="lanes" aria-hidden="true"><span>pages</span><span>actions, errors</span><span>server</span></div>
    <div class="map-plot" ref=${box} onClick=${onClick}>
      <svg role="img" aria-label=${sentence} width=${width} height=${LANE * LANES}>
        ${scale.gaps.map((gap) => html`<line key=${gap.x} class="map-gap" x1=${gap.x + 6} x2=${gap.x + gap.width - 3} y1=${(LANE * LANES) / 2} y2=${(LANE * LANES) / 2}><title>${duration(gap.ms)} without events</title></line>`)}
        ${pages.map(({ key, at, end: until }) => html`<rect key=${key} class="k-page" x=${x(at)} y="4" width=${Math.max(LEAST, x(until) - x(at) - 1.5)} height="14" rx="2" />`)}
        ${[...seen(marks, x)].map(([key, { kind, look, at }]) => {
          return html`<rect key=${key} class=${`k-${look}`} x=${at} y=${laneOf[kind] * LANE + (kind === "server" ? 1 : 4)} width=${LEAST} height=${kind === "server" ? 20 : 14} rx="1" />`;
        })}
      </svg>
    </div>
    <span class="map-range" aria-hidden="true"><span>0:00</span><span>${offset(end - start)}</span></span>
  </div>`;
}
