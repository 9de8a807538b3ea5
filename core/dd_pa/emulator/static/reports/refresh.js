// Asking again: by hand, or by itself while the page is looked at.
import { Store } from "../shared/store.js";

const EVERY_MS = 10_000;

class Refreshing extends Store {
  /** How often everything was asked again. */
  times = 0;
  timer = 0;

  now() {
    this.times += 1;
    this.changed();
  }

  get isOn() {
    return this.timer !== 0;
  }

  /** @param {boolean} on */
  byItself(on) {
    clearInterval(this.timer);
    this.timer = on ? window.setInterval(() => document.visibilityState === "visible" && this.now(), EVERY_MS) : 0;
    this.changed();
  }
}

export const refreshing = new Refreshing();
