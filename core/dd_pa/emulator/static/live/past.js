// The chart of a time that is over: what was counted then, in bars as long as it needs.
import { useEffect, useState } from "../vendor/vendor.js";
import { histogram } from "../shared/api.js";
import { SPAN } from "./counts.js";

/** @typedef {import("./counts.js").Bar} Bar */
/** @typedef {{bars: Bar[], barMs: number}} Past */

const MOST_BARS = 120;
const SECOND = 1_000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const LENGTHS = [SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY];

/** @param {import("../shared/api.js").Histogram} counted @returns {Past} */
function cut({ from, to, bucket, buckets }) {
  const known = new Map(buckets.map(([start, accepted, rejected]) => [start, { start, accepted, rejected }]));
  const bars = [];
  for (let start = from - (from % bucket); start < to; start += bucket) bars.push(known.get(start) ?? { start, accepted: 0, rejected: 0 });
  return { bars, barMs: bucket };
}

/** Its bars; null where the chosen time is among the last minutes, which the usual chart shows.
 * @param {import("./feed.js").Feed} feed @returns {Past | null} */
export function usePast({ filter }) {
  const { from, to } = filter;
  const [past, setPast] = useState(/** @type {Past | null} */ (null));
  useEffect(() => {
    if (from === null || to === null || to <= from || from > Date.now() - SPAN) return void setPast(null);
    const stop = new AbortController();
    const bucket = LENGTHS.find((length) => (to - from) / length <= MOST_BARS) ?? DAY;
    histogram(filter, { bucket }, stop.signal).then((counted) => setPast(cut(counted)), () => stop.signal.aborted || setPast(null));
    return () => stop.abort();
  }, [filter]);
  return past;
}
