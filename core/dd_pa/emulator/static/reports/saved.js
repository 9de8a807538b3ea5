// Views that have a name: addresses that the emulator keeps.
import { html, useEffect, useState } from "../vendor/vendor.js";
import { deleteView, savedViews, saveView } from "./ask.js";
import { Dialog } from "../shared/dialog.js";
import { read, write } from "../shared/router.js";

/** @typedef {import("./ask.js").SavedView} SavedView */

/** @param {{page: import("../shared/views.js").Page, views: SavedView[], onViews: (views: SavedView[]) => void, onClose: () => void}} props */
function Views({ page, views, onViews, onClose }) {
  const { router } = page;
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  /** @param {Event} event */
  const save = (event) => {
    event.preventDefault();
    saveView({ name, address: write(router.place) }).then(
      (kept) => {
        onViews(kept);
        setName("");
        setProblem("");
      },
      (error) => setProblem(error.message),
    );
  };
  /** @param {MouseEvent} event @param {SavedView} view */
  const open = (event, view) => {
    event.preventDefault();
    const [pathname, search = ""] = view.address.split("?");
    router.go(read({ pathname, search }), { push: true });
    onClose();
  };
  /** @param {SavedView} view */
  const forget = (view) => deleteView(view.name).then(() => onViews(views.filter((each) => each !== view)));
  return html`<${Dialog} title="Saved views" onClose=${onClose}>
    <form class="save-form" onSubmit=${save}>
      <input
        class="field"
        aria-label="Name of this view"
        placeholder="Name of this view"
        maxlength="100"
        value=${name}
        onInput=${(/** @type {Event} */ event) => setName(/** @type {HTMLInputElement} */ (event.target).value)}
      />
      <button type="submit" class="button primary" disabled=${!name.trim()}>Save</button>
    </form>
    ${problem && html`<p class="bad" role="alert">${problem}</p>`}
    ${views.length === 0 && html`<p class="quiet">None yet. A saved view is this page's address with a name, kept by the emulator.</p>`}
    <ul class="saved-list">
      ${views.map(
        (view) => html`<li key=${view.name}>
          <a href=${view.address} onClick=${(/** @type {MouseEvent} */ event) => open(event, view)}>${view.name}</a>
          <button type="button" class="plain small" aria-label=${`Delete ${view.name}`} onClick=${() => forget(view)}>delete</button>
        </li>`,
      )}
    </ul>
  <//>`;
}

/** @param {{page: import("../shared/views.js").Page}} props */
export function SavedMenu({ page }) {
  const [views, setViews] = useState(/** @type {SavedView[]} */ ([]));
  const [open, setOpen] = useState(false);
  useEffect(() => void savedViews().then(setViews, () => setViews([])), [open]);
  return html`<button type="button" class="button" onClick=${() => setOpen(true)}>Saved views${views.length > 0 && ` ${views.length}`}</button>
    ${open && html`<${Views} page=${page} views=${views} onViews=${setViews} onClose=${() => setOpen(false)} />`}`;
}
