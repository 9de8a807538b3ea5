// Everything the Live view shows: rows, counts, connection, and whether the view is frozen.
import * as api from "../shared/api.js";
import { RECEIVED, SEQ } from "../shared/api.js";
import { Counts } from "./counts.js";
import { LIMIT, Rows } from "./rows.js";
import { Store } from "../shared/store.js";
import { Stream } from "./stream.js";

/** @typedef {import("../shared/api.js").Filter} Filter */
/** @typedef {import("../shared/api.js").Summary} Summary */
/** @typedef {"pause" | "event" | "scroll" | "cursor" | "press"} Hold why the view is frozen */
/** @typedef {{received: number, rejected: number, kept: number, total: number}} Numbers */

const FIRST_PAGE = 200;
const NEXT_PAGES = 5_000;
const FORMER_PAGES = 1_000;
// Bars count what the stream brings; once in a while they are counted anew.
const RECOUNT_EVERY = 30;
const TINT = { rate: 4, most: 6, lasts: 1_300 };

/** @type {Feed["former"]} */
const noneFormer = { total: 0, next: null, loading: false, problem: "" };

export class Feed extends Store {
  constructor() {
    super();
    this.rows = new Rows();
    this.counts = new Counts();
    /** @type {Filter} */
    this.filter = { q: "", status: "all", source: "server", from: null, to: null };
    /** @type {Filter | null} what was asked for last, shown or not */
    this.asked = null;
    /** @type {"connecting" | "live" | "lost"} */
    this.link = "connecting";
    this.retrySeconds = 0;
    /** Whether the list is wanted: the other views need to know only how the emulator is. */
    this.isListed = false;
    /** @type {string | null} */
    this.boot = null;
    this.restarted = false;
    this.rate = 0;
    /** @type {string | null} why events cannot be written for queries */
    this.trouble = null;
    /** Events that programs dropped before they sent them. */
    this.drops = 0;
    /** Revision of the tracking plan, 0 without one: with each the marks of rows are others. */
    this.plan = 0;
    /** @type {Numbers} */
    this.numbers = { received: 0, rejected: 0, kept: 0, total: 0 };
    /** @type {Numbers | null} the numbers when the view was paused */
    this.held = null;
    /** @type {import("../shared/api.js").ApiError | null} why the search that was typed is not the one shown */
    this.problem = null;
    this.loaded = false;
    this.loading = false;
    this.complete = false;
    /** What is known of events that are no longer in memory: how many match, and where the next page begins.
     * @type {{total: number | null, next: number | null, loading: boolean, problem: string}} */
    this.former = noneFormer;
    /** @type {Set<Hold>} */
    this.holds = new Set();
    /** @type {number | null} newest sequence shown while frozen */
    this.frozen = null;
    /** Newest sequence on the screen: rows that came since the last frame have not been seen. */
    this.drawn = 0;
    /** @type {Set<number>} rows that carry the tint */
    this.fresh = new Set();
    this.seen = 0;
    this.ticks = 0;
    this.abort = new AbortController();
    this.stream = new Stream({
      hello: (hello) => this.hello(hello),
      events: (rows) => this.arrived(rows),
      stats: (stats) => this.stats(stats),
      lost: (seconds) => this.lost(seconds),
      after: () => this.seen,
    });
  }

  /** Follows how the emulator is, without its events. */
  follow() {
    if (!this.asked) void this.load(this.filter);
  }

  /** Loads unless this is what was asked for last. @param {Filter} filter */
  want({ q, status, source, from, to }) {
    const asked = this.isListed ? this.asked : null;
    this.isListed = true;
    if (asked && asked.q === q && asked.status === status && asked.source === source && asked.from === from && asked.to === to) return;
    void this.load({ q, status, source, from, to });
  }

  /** Shows what this filter finds. A search that is refused leaves what is shown, and sets `problem`. @param {Filter} filter */
  async load(filter) {
    this.abort.abort();
    const { signal } = (this.abort = new AbortController());
    this.loading = true;
    this.asked = filter;
    this.changed();
    try {
      const page = await api.events({ ...filter, limit: this.isListed ? FIRST_PAGE : 1 }, signal);
      this.show(filter, page);
      this.stream.open(filter);
      if (!this.isListed) return;
      await Promise.all([this.recount(), this.older(page.next, signal)]);
      await this.formerPage(FIRST_PAGE, signal);
    } catch (error) {
      if (!signal.aborted) this.refused(error, filter);
    }
  }

  /** @param {Filter} filter @param {import("../shared/api.js").Page} page */
  show(filter, page) {
    if (this.boot && page.boot !== this.boot) this.restarted = true;
    Object.assign(this, { filter, boot: page.boot, problem: null, loading: false, loaded: true, complete: page.next === null, former: noneFormer });
    this.rows = new Rows();
    this.rows.merge(page.events);
    this.seen = Math.max(page.seq, this.rows.newest);
    this.holds.delete("scroll");
    this.holds.delete("cursor");
    this.frozen = this.holds.size ? this.rows.newest : null;
    const { received, rejected, kept, total } = page;
    this.plan = page.plan;
    this.numbers = { received, rejected, kept, total };
    if (this.held) this.held = this.numbers;
    this.changed();
  }

  /** @param {unknown} error @param {Filter} filter */
  refused(error, filter) {
    this.loading = false;
    this.changed();
    if (!(error instanceof api.ApiError)) {
      // Nobody answers: the stream's way back loads again.
      this.filter = filter;
      this.loaded = false;
      this.stream.fail();
      this.stream.filter = filter;
      return;
    }
    this.problem = error;
    if (this.loaded) return;
    // The address held a bad search: show everything behind the message instead of nothing.
    void this.load({ ...filter, q: "" }).then(() => {
      this.asked = filter;
      this.problem = error;
      this.changed();
    });
  }

  /** Older pages, in the background, until all that is kept is here. @param {number | null} before @param {AbortSignal} signal */
  async older(before, signal) {
    while (before !== null && this.rows.length < LIMIT) {
      const limit = Math.min(NEXT_PAGES, LIMIT - this.rows.length);
      /** @type {import("../shared/api.js").Page} */
      const page = await api.events({ ...this.filter, before, limit }, signal);
      if (signal.aborted) return;
      this.rows.merge(page.events);
      before = page.next;
      this.changed();
    }
    this.complete = true;
    this.changed();
  }

  /** Events that are no longer in memory: the first page tells how many there are. @param {number} limit @param {AbortSignal} signal */
  async formerPage(limit, signal) {
    const before = this.former.next;
    this.former = { ...this.former, loading: true };
    const wanted = this.rows.length < LIMIT ? limit : 1;
    const page = await api.older({ ...this.filter, before, limit: wanted }, signal).catch((error) => /** @type {Error} */ (error));
    if (signal.aborted) return;
    if (page instanceof Error) {
      this.former = { ...this.former, loading: false, problem: page instanceof api.ApiError && page.status !== 503 ? page.message : "" };
    } else {
      this.rows.merge(page.events);
      this.former = { total: page.total === undefined ? this.former.total : page.total, next: page.next, loading: false, problem: "" };
    }
    this.changed();
  }

  /** More of them, when the reader comes to the end of the list. */
  more() {
    if (this.complete && this.former.next !== null && !this.former.loading && this.rows.length < LIMIT) void this.formerPage(FORMER_PAGES, this.abort.signal);
  }

  async recount() {
    const { signal } = this.abort;
    const histogram = await api.histogram(this.filter, null, signal);
    if (signal.aborted) return;
    this.counts.replace(histogram, this.seen);
    this.changed();
  }

  /** @param {import("./stream.js").Hello} hello */
  hello(hello) {
    const again = this.link === "lost";
    this.link = "live";
    if (!this.loaded) return void this.load(this.filter);
    if (hello.boot !== this.boot) return this.startOver(hello.boot);
    const missed = hello.seq !== this.seen;
    this.stats(hello);
    // On a first connection events may have come between the page and the stream; later ones are sent by the stream.
    if (!again && missed) void this.catchUp(hello.seq);
    else if (!again) this.seen = Math.max(this.seen, hello.seq);
    if (again && this.isListed) void this.recount().catch(() => undefined);
  }

  /** @param {number} seq where the stream began */
  async catchUp(seq) {
    const { signal } = this.abort;
    const page = await api.events({ ...this.filter, limit: FIRST_PAGE }, signal).catch(() => null);
    if (!page || signal.aborted) return;
    this.arrived(page.events);
    this.seen = Math.max(this.seen, seq);
  }

  /** @param {string} boot */
  startOver(boot) {
    this.restarted = true;
    this.boot = boot;
    this.rows = new Rows();
    this.changed();
    void this.load(this.filter);
  }

  /** @param {Summary[]} batch */
  arrived(batch) {
    const { from, to } = this.filter;
    this.counts.add(batch);
    const wanted = batch.filter((row) => (from === null || row[RECEIVED] >= from) && (to === null || row[RECEIVED] < to));
    const added = this.rows.merge(wanted);
    for (const row of batch) this.seen = Math.max(this.seen, row[SEQ]);
    this.numbers = { ...this.numbers, total: this.numbers.total + added.length };
    if (this.frozen === null && this.rate < TINT.rate && this.fresh.size + added.length <= TINT.most) this.tint(added);
    this.changed();
  }

  /** @param {Summary[]} rows */
  tint(rows) {
    for (const row of rows) this.fresh.add(row[SEQ]);
    setTimeout(() => {
      for (const row of rows) this.fresh.delete(row[SEQ]);
      this.changed();
    }, TINT.lasts);
  }

  /** @param {import("./stream.js").Stats} stats */
  stats({ received, rejected, kept, rate, trouble, drops, plan }) {
    // Somebody told the emulator to forget: what is listed here exists no more.
    const forgotten = received < this.numbers.received;
    const judged = plan !== this.plan;
    this.numbers = { ...this.numbers, received, rejected, kept };
    this.rate = rate;
    this.trouble = trouble;
    this.drops = drops;
    this.plan = plan;
    if (forgotten || judged) void this.load(this.filter);
    else if (this.isListed && ++this.ticks % RECOUNT_EVERY === 0) void this.recount().catch(() => undefined);
    this.changed();
  }

  /** @param {number} seconds */
  lost(seconds) {
    this.link = "lost";
    this.rate = 0;
    this.retrySeconds = seconds;
    this.changed();
  }

  /** Freezes the view where it is; rows are still taken in. @param {Hold} reason */
  hold(reason) {
    if (this.holds.has(reason)) return;
    if (!this.holds.size) this.frozen = this.drawn;
    if (reason === "pause") this.held = this.numbers;
    this.holds.add(reason);
    this.changed();
  }

  /** @param {Hold} reason */
  release(reason) {
    if (!this.holds.delete(reason)) return;
    if (reason === "pause") this.held = null;
    if (!this.holds.size) this.frozen = null;
    this.changed();
  }

  /** Brings what came while the view was frozen; a paused view stays paused, at the newest. */
  catchView() {
    this.release("cursor");
    if (this.holds.size) this.frozen = this.rows.newest;
    this.changed();
  }

  /** Rows shown, counted from the oldest. */
  get shown() {
    return this.frozen === null ? this.rows.length : this.rows.countUpTo(this.frozen);
  }

  /** Rows that came while the view was frozen. */
  get waiting() {
    return this.rows.length - this.shown;
  }

  /** Events that match, here or still to be fetched. */
  get matches() {
    const formerHere = this.rows.all.length - this.rows.countAfter(0);
    const here = this.rows.length - formerHere;
    return (this.complete ? here : Math.max(this.numbers.total, here)) + Math.max(this.former.total ?? 0, formerHere);
  }

  /** Whether more than these may match: to count them all took too long. */
  get mayBeMore() {
    return this.former.total === null && this.former.next !== null;
  }
}
