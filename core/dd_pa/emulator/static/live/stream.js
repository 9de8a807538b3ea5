// The live connection: server-sent events, tried again after 1, 2, 5, 5 … seconds.
import { streamAddress } from "../shared/api.js";

/** @typedef {import("../shared/api.js").Filter} Filter */
/** @typedef {import("../shared/api.js").Summary} Summary */
/** @typedef {{received: number, rejected: number, kept: number, rate: number, seq: number, trouble: string | null, drops: number, plan: number}} Stats */
/** @typedef {Stats & {boot: string}} Hello */
/**
 * @typedef {object} Listener
 * @property {(hello: Hello) => void} hello
 * @property {(rows: Summary[]) => void} events oldest first
 * @property {(stats: Stats) => void} stats
 * @property {(seconds: number) => void} lost how long until the next try
 * @property {() => number | null} after newest sequence seen, so that a new connection brings what was missed
 */

const waits = [1, 2, 5];

export class Stream {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.failures = 0;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {Filter | null} */
    this.filter = null;
    this.timer = 0;
  }

  /** Starts anew with another filter: events from now on. @param {Filter} filter */
  open(filter) {
    this.filter = filter;
    this.connect(null);
  }

  /** Does not wait for the next try. */
  retry() {
    if (this.filter) this.connect(this.listener.after());
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** @param {number | null} after */
  connect(after) {
    this.close();
    const source = new EventSource(streamAddress(/** @type {Filter} */ (this.filter), after));
    this.source = source;
    source.addEventListener("hello", (message) => {
      this.failures = 0;
      this.listener.hello(JSON.parse(message.data));
    });
    source.addEventListener("events", (message) => this.listener.events(JSON.parse(message.data)));
    source.addEventListener("stats", (message) => this.listener.stats(JSON.parse(message.data)));
    // EventSource would retry by itself, at a pace of its own: ours is told to the reader.
    source.addEventListener("error", () => this.source === source && this.fail());
  }

  fail() {
    this.close();
    const seconds = waits[Math.min(this.failures++, waits.length - 1)];
    this.timer = window.setTimeout(() => this.retry(), seconds * 1000);
    this.listener.lost(seconds);
  }
}
