// The session whose timeline is open, kept up to date.
import * as api from "../shared/api.js";
import { listenForChanges } from "./changes.js";
import { Refresh } from "./refresh.js";
import { Store } from "../shared/store.js";

/** @typedef {"loading" | "ready" | "gone" | "failed"} Phase */

export class OpenSession extends Store {
  /** @param {string} id */
  constructor(id) {
    super();
    this.id = id;
    /** @type {Phase} */
    this.phase = "loading";
    /** @type {api.SessionDetail | null} */
    this.detail = null;
    this.why = "";
    this.refresh = new Refresh((signal) => this.load(signal));
  }

  /** @returns {() => void} call it to stop */
  follow() {
    this.refresh.now();
    const stop = listenForChanges((ids) => {
      if (ids === null || ids.includes(this.id)) this.refresh.soon();
    });
    return () => {
      stop();
      this.refresh.cancel();
    };
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    try {
      this.detail = await api.session(this.id, signal);
      this.phase = "ready";
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error);
    }
    this.changed();
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof api.ApiError && error.status === 404) Object.assign(this, { phase: "gone", detail: null });
    else if (this.detail === null) {
      this.phase = "failed";
      this.why = error instanceof api.ApiError ? error.message : "The emulator does not answer.";
    }
  }
}
