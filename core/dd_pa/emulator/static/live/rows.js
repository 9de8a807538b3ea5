// The rows the page holds: ascending by sequence, without gaps in order, never the same one twice.
import { SEQ } from "../shared/api.js";

/** @typedef {import("../shared/api.js").Summary} Summary */

export const LIMIT = 100_000;
// Cutting the front of a long array costs the same for one row as for many.
const SLACK = 1_000;

export class Rows {
  constructor() {
    /** @type {Summary[]} */
    this.all = [];
    this.cut = false;
  }

  get length() {
    return this.all.length;
  }

  /** Sequence of the newest row, 0 if there is none that came in this run. */
  get newest() {
    return Math.max(0, this.all.at(-1)?.[SEQ] ?? 0);
  }

  /** Merges rows of any page or message, in any order. @param {Summary[]} batch @returns {Summary[]} the ones that are new */
  merge(batch) {
    if (!batch.length) return batch;
    if (!this.all.length) return this.weave(batch);
    const added = batch[0][SEQ] > batch[batch.length - 1][SEQ] ? batch.toReversed() : batch;
    if (added[0][SEQ] > this.newest) {
      for (const row of added) this.all.push(row);
      this.trim();
      return added;
    }
    if (added[added.length - 1][SEQ] < this.all[0][SEQ]) {
      this.all = added.concat(this.all);
      this.trim();
      return added;
    }
    return this.weave(added);
  }

  /** @param {Summary[]} batch @returns {Summary[]} */
  weave(batch) {
    const unseen = batch.filter((row) => this.position(row[SEQ]) < 0);
    this.all = this.all.concat(unseen).sort((a, b) => a[SEQ] - b[SEQ]);
    this.trim();
    return unseen;
  }

  trim() {
    if (this.all.length <= LIMIT + SLACK) return;
    this.all.splice(0, this.all.length - LIMIT);
    this.cut = true;
  }

  /** How many rows are not newer than this one. @param {number} seq @returns {number} */
  countUpTo(seq) {
    let low = 0, high = this.all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.all[middle][SEQ] <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many rows are newer. @param {number} seq @returns {number} */
  countAfter(seq) {
    return this.all.length - this.countUpTo(seq);
  }

  /** @param {number} seq @returns {number} index in `all`, -1 if the row is not here */
  position(seq) {
    const index = this.countUpTo(seq) - 1;
    return index >= 0 && this.all[index][SEQ] === seq ? index : -1;
  }
}
