// Stacked bars over time, on uPlot's canvas. Its colours are read from the page, and again when the theme changes.
import { html, uPlot, useEffect, useRef } from "../vendor/vendor.js";
import { barName, count, moment } from "./times.js";
import { useMedia, useSize } from "../shared/hooks.js";

/** @typedef {import("./explore.js").Counts} Counts */

const HEIGHT = 240;

/** @param {HTMLElement} box @param {string} name @returns {string} a colour as it is now */
function colour(box, name) {
  const probe = document.createElement("i");
  probe.className = name;
  box.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Each series on top of those before it, so that the last one reaches the sum. @param {Counts} counts @returns {number[][]} */
function stacked({ series, times }) {
  const below = times.map(() => 0);
  return series.map(({ values }) => values.map((value, i) => (below[i] += value)));
}

/** @param {Counts} counts @returns {string} */
function sentence({ series, sum, words, times }) {
  const named = series.slice(0, 3).map((each) => `${each.name} ${count(each.sum)}`);
  return `${count(sum)} ${words} from ${moment(times[0])} UTC: ${named.join(", ")}.`;
}

/** What the tip says where no bar is pointed at. @param {Counts} counts */
const usual = ({ running }) => `Click a bar to see its events.${running ? " The palest one is not over yet." : ""}`;

/** Makes the bar that is not over yet paler. @param {uPlot} plot @param {Counts} counts @param {string} paper colour of the card */
function pale(plot, { times, interval, running }, paper) {
  if (!running) return;
  const { ctx, bbox } = plot;
  const left = plot.valToPos((times[times.length - 1] - interval / 2) / 1000, "x", true);
  ctx.save();
  ctx.globalAlpha = 0.6;
  ctx.fillStyle = paper;
  ctx.fillRect(left, bbox.top, bbox.left + bbox.width - left, bbox.height);
  ctx.restore();
}

/** @param {{counts: Counts, onTime: (at: number) => void}} props */
export function Chart({ counts, onTime }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const tip = useRef(/** @type {HTMLElement | null} */ (null));
  const { width } = useSize(box);
  const dark = useMedia("(prefers-color-scheme: dark)");
  const theme = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  useEffect(() => {
    const holder = box.current;
    if (!holder || !width) return undefined;
    const paper = getComputedStyle(holder.closest(".card") ?? document.body).backgroundColor;
    const text = colour(holder, "ink"), grid = colour(holder, "grid");
    const tops = stacked(counts);
    const order = counts.series.map((_, i) => i).reverse(); // the highest first, so that lower ones are drawn over it
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: "11px Inter, system-ui, sans-serif" };
    const bars = uPlot.paths.bars?.({ size: [0.82, 40] });
    const plot = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        scales: { x: { range: (_, min, max) => [min - counts.interval / 2000, max + counts.interval / 2000] }, y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] } },
        axes: [{ ...axis, grid: { show: false }, values: (_, seconds) => seconds.map((at) => barName(at * 1000, counts.interval)) }, { ...axis, size: 48, values: (_, values) => values.map((value) => (Number.isInteger(value) ? count(value) : "")) }],
        series: [
          {},
          ...order.map((i) => ({
            fill: colour(holder, counts.series[i].rest ? "rest" : `s${i}`),
            stroke: "transparent",
            width: 0,
            paths: bars,
            points: { show: false },
          })),
        ],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
        hooks: { setCursor: [(self) => tell(self, counts, tip.current)], draw: [(self) => pale(self, counts, paper)] },
      },
      [counts.times.map((at) => at / 1000), ...order.map((i) => tops[i])],
      holder,
    );
    /** @param {MouseEvent} event */
    const onClick = (event) => {
      const { idx } = plot.cursor;
      if (event.button === 0 && idx !== null && idx !== undefined) onTime(counts.times[idx]);
    };
    plot.over.addEventListener("click", onClick);
    return () => plot.destroy();
  }, [counts, width, theme]);
  return html`<div class="chart">
    <div class="chart-box" ref=${box} role="img" aria-label=${sentence(counts)}></div>
    <p class="chart-tip" ref=${tip} aria-hidden="true">${usual(counts)}</p>
  </div>`;
}

/** @param {uPlot} plot @param {Counts} counts @param {HTMLElement | null} tip */
function tell(plot, counts, tip) {
  if (!tip) return;
  const at = plot.cursor.idx;
  if (at === null || at === undefined || plot.cursor.left === undefined || plot.cursor.left < 0) {
    tip.textContent = usual(counts);
    return;
  }
  const when = moment(counts.times[at]) + (counts.running && at === counts.times.length - 1 ? ", so far" : "");
  const parts = counts.series.filter((series) => series.values[at]).map((series) => `${series.name} ${count(series.values[at])}`);
  tip.textContent = `${when}: ${parts.join(" · ") || "none"}`;
}
