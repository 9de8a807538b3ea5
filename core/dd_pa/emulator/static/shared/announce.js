// What is said to those who do not see the page, and the short note that something was done.
import { html } from "../vendor/vendor.js";
import { useStore } from "./hooks.js";
import { Store } from "./store.js";

class Note extends Store {
  text = "";
  timer = 0;

  /** @param {string} text @param {number} [lasts] ms; for ever without it */
  say(text, lasts = 1_800) {
    this.text = text;
    clearTimeout(this.timer);
    if (Number.isFinite(lasts)) this.timer = window.setTimeout(() => this.say("", Infinity), lasts);
    this.changed();
  }
}

const spoken = new Note();
export const toast = new Note();

/** Speaks through the live region: pause, loss, return and what was asked for, nothing else. @param {string} text */
export const announce = (text) => spoken.say(text, Infinity);

export function Voice() {
  useStore(spoken);
  useStore(toast);
  return html`<div class="unseen" role="status">${spoken.text}</div>
    ${toast.text && html`<div class="toast" aria-hidden="true">${toast.text}</div>`}`;
}
