// Fetches again what may have changed: at once when the reader asks, and else with rests as long as a fetch took.

const LEAST_REST_MS = 250;

export class Refresh {
  /** @param {(signal: AbortSignal) => Promise<void>} fetch */
  constructor(fetch) {
    this.fetch = fetch;
    this.abort = new AbortController();
    this.timer = 0;
    this.busy = false;
    this.again = false;
    this.rest = LEAST_REST_MS;
  }

  now() {
    this.cancel();
    void this.run();
  }

  soon() {
    if (this.busy) this.again = true;
    else if (!this.timer) this.timer = window.setTimeout(() => void this.run(), this.rest);
  }

  cancel() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.again = false;
    this.abort.abort();
  }

  async run() {
    const { signal } = (this.abort = new AbortController());
    clearTimeout(this.timer);
    this.timer = 0;
    this.again = false;
    this.busy = true;
    const start = performance.now();
    await this.fetch(signal);
    if (signal.aborted) return;
    this.busy = false;
    this.rest = Math.max(LEAST_REST_MS, performance.now() - start);
    if (this.again) this.soon();
  }
}
