// Stacked bars over time, on uPlot's canvas. Its colours are read from the page, and again when the theme changes.
import { html, uPlot, useEffect, useRef } from "../vendor/vendor.js";
import { count } from "../shared/format.js";
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

/** Days by name, and times of day where bars are shorter; a day's beginning is said. @param {number} seconds @param {number} interval */
function named(seconds, interval) {
  const at = new Date(seconds * 1000);
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (interval >= 86_400_000 || (at.getHours() === 0 && at.getMinutes() === 0)) return day;
  return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** @param {Counts} counts @returns {string} */
function sentence({ series, times }) {
  const sum = series.reduce((total, each) => total + each.sum, 0);
  const named = series.slice(0, 3).map((each) => `${each.name} ${count(each.sum)}`);
  return `${count(sum)} from ${new Date(times[0]).toLocaleString("en-GB")}: ${named.join(", ")}.`;
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
        axes: [{ ...axis, grid: { show: false }, values: (_, seconds) => seconds.map((at) => named(at, counts.interval)) }, { ...axis, size: 48, values: (_, values) => values.map((value) => (Number.isInteger(value) ? count(value) : "")) }],
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
        hooks: { setCursor: [(self) => tell(self, counts, tip.current)] },
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
    <p class="chart-tip" ref=${tip} aria-hidden="true">Click a bar to see its events.</p>
  </div>`;
}

/** @param {uPlot} plot @param {Counts} counts @param {HTMLElement | null} tip */
function tell(plot, counts, tip) {
  if (!tip) return;
  const at = plot.cursor.idx;
  if (at === null || at === undefined || plot.cursor.left === undefined || plot.cursor.left < 0) {
    tip.textContent = "Click a bar to see its events.";
    return;
  }
  const when = new Date(counts.times[at]).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const parts = counts.series.filter((series) => series.values[at]).map((series) => `${series.name} ${count(series.values[at])}`);
  tip.textContent = `${when}: ${parts.join(" · ") || "none"}`;
}
