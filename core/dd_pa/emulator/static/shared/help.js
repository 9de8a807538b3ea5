// The list of keys.
import { html } from "../vendor/vendor.js";
import { Dialog } from "./dialog.js";

/** @param {{list: import("./keys.js").Binding[], onClose: () => void}} props */
export function Help({ list, onClose }) {
  return html`<${Dialog} title="Keyboard" onClose=${onClose}>
    <dl class="keys">
      ${list.map(
        ({ keys, shown, what }) => html`<div key=${what}>
          <dt>${what}</dt>
          <dd>${(shown ?? keys).map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dd>
        </div>`,
      )}
    </dl>
  <//>`;
}
