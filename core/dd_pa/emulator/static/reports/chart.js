// Bars or lines over time, on uPlot's canvas. Its colours are read from the page, and again when the theme changes.
import { html, uPlot, useEffect, useRef } from "../vendor/vendor.js";
import { announce } from "../shared/announce.js";
import { useMedia, useSize } from "../shared/hooks.js";
import { isAdditive, writerOf } from "./measures.js";
import { barName, moment } from "./times.js";

/** @typedef {import("./counts.js").Counts} Counts */

const HEIGHT = 240;
const FONT = "11px Inter, system-ui, sans-serif";

/** @param {HTMLElement} box @param {string} name @returns {string} a colour as it is now */
function colour(box, name) {
  const probe = document.createElement("i");
  probe.className = name;
  box.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** Whether series stand on each other: only what adds up does, and one alone has nothing to stand on. @param {Counts} counts */
export const isStacked = ({ wanted, series }) => isAdditive(wanted.measure) || (series.length === 1 && series[0].values.every((value) => value !== null));

/** Each series on top of those before it, so that the last one reaches the sum. @param {Counts} counts @returns {number[][]} */
function stacked({ series, times }) {
  const below = times.map(() => 0);
  return series.map(({ values }) => values.map((value, i) => (below[i] += value ?? 0)));
}

/** @param {Counts} counts @returns {string} */
function sentence({ series, sum, words, times, wanted }) {
  const write = writerOf(wanted.measure);
  const named = series.slice(0, 3).map((each) => `${each.name} ${each.sum === null ? "nothing" : write(each.sum)}`);
  return `${sum === null ? "No" : write(sum)} ${words} from ${moment(times[0])} UTC: ${named.join(", ")}. Arrow keys go from bar to bar, Enter opens one.`;
}

/** What the tip says where no bar is pointed at. @param {Counts} counts */
const usual = (counts) => {
  const { running, past } = counts;
  return `Click a ${isStacked(counts) ? "bar" : "time"} to see its events.${running ? " The palest one is not over yet." : ""}${past ? " The dashed line is the time before." : counts.wanted.compared ? " In the time before there was nothing." : ""}`;
};

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

/** Marks what went out, at the left edge of the bar in which it did. @param {uPlot} plot @param {Counts} counts @param {string} ink */
function marks(plot, { releases, interval }, ink) {
  const { ctx, bbox } = plot, ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = ink;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  for (const { at } of releases) {
    const x = Math.round(plot.valToPos((at - interval / 2) / 1000, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top);
    ctx.lineTo(x + 4 * ratio, bbox.top);
    ctx.lineTo(x, bbox.top + 6 * ratio);
    ctx.fill();
  }
  ctx.restore();
}

/** @param {HTMLElement} holder @param {Counts} counts @returns {{series: uPlot.Series[], data: (number | null)[][]}} */
function drawn(holder, counts) {
  const { series, past } = counts, piled = isStacked(counts);
  const tops = piled ? stacked(counts) : series.map(({ values }) => values);
  const order = series.map((_, i) => i).reverse(); // the highest first, so that lower ones are drawn over it
  const bars = uPlot.paths.bars?.({ size: [0.82, 40] });
  const shapes = order.map((i) => {
    const hue = colour(holder, series[i].rest ? "rest" : `s${i}`);
    return piled ? { fill: hue, stroke: "transparent", width: 0, paths: bars, points: { show: false } } : { stroke: hue, width: 2, points: { show: true, size: 5, fill: hue } };
  });
  const before = past ? [{ stroke: colour(holder, "ink"), width: 1.5, dash: [5, 4], points: { show: false } }] : [];
  return { series: [{}, ...shapes, ...before], data: [counts.times.map((at) => at / 1000), ...order.map((i) => tops[i]), ...(past ? [past] : [])] };
}

/** @param {HTMLElement} holder @param {Counts} counts @param {number} width @param {() => HTMLElement | null} tip */
function plotted(holder, counts, width, tip) {
  const paper = getComputedStyle(holder.closest(".card") ?? document.body).backgroundColor;
  const text = colour(holder, "ink"), grid = colour(holder, "grid"), mark = colour(holder, "release");
  const { series, data } = drawn(holder, counts);
  const write = writerOf(counts.wanted.measure);
  const plain = isAdditive(counts.wanted.measure) && counts.wanted.measure.name === "count";
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: FONT };
  return new uPlot(
    {
      width,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, min, max) => [min - counts.interval / 2000, max + counts.interval / 2000] },
        y: { range: (_, min, max) => [Math.min(0, min ?? 0), plain ? Math.max(4, max * 1.08) : max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, values: (_, seconds) => seconds.map((at) => barName(at * 1000, counts.interval)) },
        { ...axis, size: 56, values: (_, values) => values.map((value) => (plain && !Number.isInteger(value) ? "" : write(value))) },
      ],
      series,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      hooks: { setCursor: [(self) => tell(self, counts, tip())], draw: [(self) => (pale(self, counts, paper), marks(self, counts, mark))] },
    },
    /** @type {uPlot.AlignedData} */ (data),
    holder,
  );
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
    const plot = plotted(holder, counts, width, () => tip.current);
    const open = () => {
      const { idx } = plot.cursor;
      if (idx !== null && idx !== undefined) onTime(counts.times[idx]);
    };
    /** @param {MouseEvent} event */
    const onClick = (event) => event.button === 0 && open();
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      const at = plot.cursor.left !== undefined && plot.cursor.left >= 0 ? plot.cursor.idx : null;
      const end = counts.times.length - 1;
      /** @type {Record<string, number>} */
      const places = { ArrowLeft: (at ?? end + 1) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: end };
      if (event.key === "Enter" && at !== null) open();
      else if (!(event.key in places)) return;
      else {
        const place = Math.min(end, Math.max(0, places[event.key]));
        plot.setCursor({ left: plot.valToPos(counts.times[place] / 1000, "x"), top: 0 });
        announce(tip.current?.textContent ?? "");
      }
      event.preventDefault();
    };
    plot.over.addEventListener("click", onClick);
    holder.addEventListener("keydown", onKeyDown);
    return () => {
      holder.removeEventListener("keydown", onKeyDown);
      plot.destroy();
    };
  }, [counts, width, theme]);
  return html`<div class="chart">
    <div class="chart-box" ref=${box} role="group" aria-roledescription="chart" tabindex="0" aria-label=${sentence(counts)}></div>
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
  const write = writerOf(counts.wanted.measure);
  /** @param {number | null} value */
  const worth = (value) => value !== null && (value !== 0 || !isAdditive(counts.wanted.measure));
  const when = moment(counts.times[at]) + (counts.running && at === counts.times.length - 1 ? ", so far" : "");
  const parts = counts.series.filter((series) => worth(series.values[at])).map((series) => `${series.name} ${write(/** @type {number} */ (series.values[at]))}`);
  const before = counts.past?.[at];
  const gone = counts.releases.filter((release) => release.at >= counts.times[at] && release.at < counts.times[at] + counts.interval).map(({ name }) => `${name} went out`);
  tip.textContent = `${when}: ${[...(parts.length ? parts : ["none"]), ...(before === null || before === undefined ? [] : [`before ${write(before)}`]), ...gone].join(" · ")}`;
}
