// The event that is open: fetched when opened, told apart from one that is no longer kept.
import * as api from "../shared/api.js";
import { Store } from "../shared/store.js";

/** @typedef {"loading" | "ready" | "gone" | "failed"} Phase */

const SLOW_MS = 200;

export class Opened extends Store {
  constructor() {
    super();
    /** @type {number | null} */
    this.seq = null;
    /** @type {string | null} boot of the emulator that gave the sequence */
    this.boot = null;
    /** @type {Phase} */
    this.phase = "loading";
    /** @type {import("../shared/api.js").Detail | null} */
    this.detail = null;
    this.slow = false;
    this.why = "";
    this.abort = new AbortController();
  }

  /** Opens another event, or none. After a restart a number says nothing any more: the open event is gone.
   * @param {number | null} seq @param {string | null} boot */
  open(seq, boot) {
    const restarted = seq !== null && seq > 0 && seq === this.seq && this.boot !== null && this.boot !== boot;
    if (seq === this.seq && !restarted) return;
    this.abort.abort();
    Object.assign(this, { seq, boot, detail: null, phase: "loading", why: "", slow: false });
    if (restarted) Object.assign(this, { phase: "gone", why: "The emulator was restarted since; it keeps events in memory only." });
    else if (seq !== null) void this.fetch(seq);
    this.changed();
  }

  /** @param {number} seq */
  async fetch(seq) {
    const { signal } = (this.abort = new AbortController());
    const timer = setTimeout(() => {
      this.slow = true;
      this.changed();
    }, SLOW_MS);
    try {
      this.detail = await api.event(seq, signal);
      this.phase = "ready";
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error);
    } finally {
      clearTimeout(timer);
    }
    if (!signal.aborted) this.changed();
  }

  retry() {
    if (this.seq === null) return;
    this.phase = "loading";
    void this.fetch(this.seq);
    this.changed();
  }

  /** @param {unknown} error */
  fail(error) {
    const known = error instanceof api.ApiError;
    this.phase = known && error.status === 404 ? "gone" : "failed";
    if (this.phase === "failed") this.why = known ? error.message : "The emulator does not answer.";
    else if (/** @type {Error} */ (error).message.includes("never")) {
      this.why = "No event has had this number since the emulator was started: numbers begin anew after a restart.";
    } else this.why = "The emulator keeps a limited number of events, and newer ones took its place.";
  }
}
