// The rows of a timeline in portions: those far from what is seen are empty boxes as high as they were.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { TimelineRow } from "./momentrow.js";

/** @typedef {import("./timeline.js").Row} Row */
/** @typedef {import("./momentrow.js").Around} Around */
/** @typedef {import("../shared/api.js").Moment} Moment */

const PORTION = 40;
const ROW = 52;
const MARGIN = "1200px 0px";

/** @param {Row[]} rows @returns {Row[][]} */
const portionsOf = (rows) => Array.from({ length: Math.ceil(rows.length / PORTION) }, (_, n) => rows.slice(n * PORTION, (n + 1) * PORTION));

/** The last row that is not later. @param {Row[]} rows @param {number} at epoch ms @returns {number} */
const rowAt = (rows, at) => Math.max(0, rows.findLastIndex((row) => row.at <= at));

/** Which portions are near what is seen. @param {{current: HTMLElement | null}} box @param {number} count @returns {Set<number>} */
function useNear(box, count) {
  const [near, setNear] = useState(() => new Set([0]));
  useEffect(() => {
    const holder = /** @type {HTMLElement} */ (box.current);
    const observer = new IntersectionObserver(
      (entries) =>
        setNear((before) => {
          const next = new Set(before);
          for (const { target, isIntersecting } of entries) {
            const number = Number(/** @type {HTMLElement} */ (target).dataset.portion);
            if (isIntersecting) next.add(number);
            else next.delete(number);
          }
          return next;
        }),
      { root: holder.closest("main"), rootMargin: MARGIN },
    );
    for (const portion of holder.children) observer.observe(portion);
    return () => observer.disconnect();
  }, [count]);
  return near;
}

/** @param {{rows: Row[], first: number, near: boolean, pointed: number, open: Moment | undefined, around: Around}} props */
function Portion({ rows, first, near, pointed, open, around }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const height = useRef(rows.length * ROW);
  useLayoutEffect(() => () => void (near && list.current && (height.current = list.current.offsetHeight)), [near]);
  if (!near) return html`<ol class="moments" ref=${list} data-portion=${first / PORTION} aria-hidden="true" style=${{ height: `${height.current}px` }}></ol>`;
  return html`<ol class="moments" ref=${list} data-portion=${first / PORTION} start=${first + 1} style=${{ height: "auto" }}>
    ${rows.map(
      (row, i) => html`<${TimelineRow} key=${(row.browser ?? row.server[0].moment).key} row=${row} open=${row.browser !== null && row.browser === open} pointed=${first + i === pointed} around=${around} />`,
    )}
  </ol>`;
}

/** @param {{rows: Row[], at: number | null, open: Moment | undefined, around: Around}} props `at`: the moment that is pointed at, epoch ms;
 * `open`: the page that is looked at now */
export function Moments({ rows, at, open, around }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const portions = useMemo(() => portionsOf(rows), [rows]);
  const near = useNear(box, portions.length);
  const pointed = at === null || !rows.length ? -1 : rowAt(rows, at);
  const first = useRef(true);
  useEffect(() => {
    const still = first.current || matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (pointed >= 0) box.current?.querySelector(".pointed")?.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
    first.current = false;
  }, [at]);
  return html`<div class="portions" ref=${box}>
    ${portions.map(
      (portion, n) => html`<${Portion}
        key=${n}
        rows=${portion}
        first=${n * PORTION}
        near=${near.has(n) || Math.floor(pointed / PORTION) === n}
        pointed=${pointed}
        open=${open}
        around=${around}
      />`,
    )}
  </div>`;
}
