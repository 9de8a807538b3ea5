// Copying, with a word that it worked.
import { html, useEffect, useState } from "../vendor/vendor.js";
import * as icons from "./icons.js";
import { announce, toast } from "./announce.js";

/** @param {string} text @param {string} what said when it is done, such as "JSON" */
export async function copy(text, what) {
  const done = (await written(text)) ? `${what} copied` : `${what} could not be copied`;
  toast.say(done);
  announce(done);
}

/** @param {string} text @returns {Promise<boolean>} */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard outside https and loopback addresses, or not allowed: the old way still works.
    return selected(text);
  }
}

/** @param {string} text @returns {boolean} */
function selected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return done;
}

/** @param {{text: string, label: string}} props */
export function CopyButton({ text, label }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1_500);
    return () => clearTimeout(timer);
  }, [done]);
  const onClick = () => void copy(text, label.replace(/^Copy /, "")).then(() => setDone(true));
  return html`<button type="button" class="button small" aria-label=${label} onClick=${onClick}>${icons.copy}${done ? "Copied" : "Copy"}</button>`;
}
