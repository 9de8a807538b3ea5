// The sessions that the list shows, kept up to date.
import * as api from "../shared/api.js";
import { listenForChanges } from "./changes.js";
import { Refresh } from "./refresh.js";
import { Store } from "../shared/store.js";

/** @typedef {import("../shared/api.js").SessionHead} SessionHead */

const FIRST_PAGE = 50;
const MOST = 500;

export class SessionList extends Store {
  constructor() {
    super();
    /** @type {SessionHead[]} */
    this.sessions = [];
    this.total = 0;
    /** Whether all events were looked at: else there may be more. */
    this.complete = true;
    this.loaded = false;
    this.q = "";
    this.limit = FIRST_PAGE;
    /** @type {api.ApiError | null} why the search that was typed is not the one shown */
    this.problem = null;
    this.refresh = new Refresh((signal) => this.load(signal));
  }

  /** @returns {() => void} call it to stop */
  follow() {
    const stop = listenForChanges(() => this.refresh.soon());
    return () => {
      stop();
      this.refresh.cancel();
    };
  }

  /** @param {string} q */
  want(q) {
    if (q === this.q && this.loaded) return;
    this.q = q;
    this.limit = FIRST_PAGE;
    this.refresh.now();
  }

  older() {
    this.limit = Math.min(MOST, this.limit + 100);
    this.refresh.now();
  }

  get hasOlder() {
    return (this.sessions.length < this.total || !this.complete) && this.limit < MOST;
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    try {
      const page = await api.sessions({ q: this.q, limit: this.limit }, signal);
      Object.assign(this, { sessions: page.sessions, total: page.total, complete: page.complete, problem: null, loaded: true });
    } catch (error) {
      // Without an answer the list stays: the banner says that the connection is lost.
      if (signal.aborted || !(error instanceof api.ApiError)) return;
      this.problem = error;
    }
    this.changed();
  }
}
