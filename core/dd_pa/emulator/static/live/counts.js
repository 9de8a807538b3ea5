// Events per 5 seconds over the last 15 minutes: counted by the server once, then from the stream.
import { RECEIVED, SEQ, STATUS } from "../shared/api.js";

export const BUCKET = 5_000;
export const SPAN = 15 * 60_000;
const ACCEPTED = 202;

/** @typedef {{start: number, accepted: number, rejected: number}} Bar */

export class Counts {
  constructor() {
    /** @type {Map<number, [accepted: number, rejected: number]>} */
    this.buckets = new Map();
    this.counted = 0;
    /** Server's clock minus ours, ms. */
    this.offset = 0;
  }

  /** @param {import("../shared/api.js").Histogram} histogram @param {number} seq newest sequence when it was asked for */
  replace(histogram, seq) {
    this.buckets = new Map(histogram.buckets.map(([start, accepted, rejected]) => [start, [accepted, rejected]]));
    this.counted = histogram.seq ?? seq;
    const offset = histogram.to - Date.now();
    this.offset = Math.abs(offset) > BUCKET * 2 ? offset : 0;
  }

  /** @param {import("../shared/api.js").Summary[]} rows */
  add(rows) {
    for (const row of rows) {
      if (row[SEQ] <= this.counted) continue;
      const start = row[RECEIVED] - (row[RECEIVED] % BUCKET);
      const bucket = this.buckets.get(start) ?? [0, 0];
      bucket[row[STATUS] === ACCEPTED ? 0 : 1] += 1;
      this.buckets.set(start, bucket);
    }
  }

  /** End of the bucket that is being filled, by the server's clock. */
  end() {
    const now = Date.now() + this.offset;
    return now - (now % BUCKET) + BUCKET;
  }

  /** Bars of `width` ms each that cover the span before `end`, oldest first; old buckets are forgotten.
   * @param {number} end @param {number} width a multiple of BUCKET @returns {Bar[]} */
  bars(end, width) {
    const last = Math.ceil(end / width) * width;
    const first = last - SPAN;
    /** @type {Bar[]} */
    const bars = Array.from({ length: SPAN / width }, (_, i) => ({ start: first + i * width, accepted: 0, rejected: 0 }));
    for (const [start, [accepted, rejected]] of this.buckets) {
      const bar = bars[Math.floor((start - first) / width)];
      if (bar) {
        bar.accepted += accepted;
        bar.rejected += rejected;
      } else if (start < first) this.buckets.delete(start);
    }
    return bars;
  }
}
