// What the emulator knows of the plan, asked again when events came or the plan changed.
import { ApiError, plan } from "../shared/api.js";
import { Store } from "../shared/store.js";

const EVERY_MS = 2_000;

export class Catalogue extends Store {
  constructor() {
    super();
    /** @type {import("../shared/api.js").PlanCatalogue | null} */
    this.answer = null;
    this.problem = "";
    this.abort = new AbortController();
    this.asked = "";
  }

  async load() {
    this.abort.abort();
    const { signal } = (this.abort = new AbortController());
    try {
      const answer = await plan(signal);
      if (signal.aborted) return;
      Object.assign(this, { answer, problem: "" });
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error instanceof ApiError ? error.message : "The emulator does not answer.";
      this.asked = "";
    }
    this.changed();
  }

  /** Keeps up with what comes, a look every two seconds at most. @param {import("../live/feed.js").Feed} feed @returns {() => void} call it to stop */
  follow(feed) {
    const look = () => {
      const state = `${feed.boot} ${feed.plan} ${feed.numbers.received}`;
      if (state === this.asked || document.visibilityState !== "visible") return;
      this.asked = state;
      void this.load();
    };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => {
      clearInterval(timer);
      this.abort.abort();
    };
  }
}
