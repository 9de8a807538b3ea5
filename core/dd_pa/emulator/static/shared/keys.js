// The keyboard. The help lists what stands here.

/**
 * @typedef {object} Binding
 * @property {string[]} keys as `KeyboardEvent.key` names them
 * @property {string[]} [shown] where keycaps say it better
 * @property {string} what
 * @property {() => void} run
 */

/** @param {import("./actions.js").Actions} actions @returns {Binding[]} */
export function liveKeys(actions) {
  return [
    { keys: ["/"], what: "search", run: actions.focusSearch },
    { keys: ["j", "ArrowDown"], shown: ["j", "↓"], what: "older event", run: () => actions.move(1) },
    { keys: ["k", "ArrowUp"], shown: ["k", "↑"], what: "newer event", run: () => actions.move(-1) },
    { keys: ["Enter"], what: "open event", run: actions.enter },
    { keys: ["Escape"], shown: ["Esc"], what: "close, then clear filters", run: actions.escape },
    { keys: ["p"], what: "pause, resume", run: actions.pause },
    { keys: ["g"], what: "jump to newest", run: actions.newest },
    { keys: ["r"], what: "only rejected", run: actions.rejected },
    { keys: ["x"], what: "clear the list, keep the events", run: actions.clear },
    { keys: ["c"], what: "copy JSON", run: actions.copyJson },
    { keys: ["u"], what: "copy as curl", run: actions.copyCurl },
    { keys: ["s"], what: "only this session", run: actions.onlySession },
  ];
}

/** @param {{views: import("./views.js").View[], go: (view: import("./views.js").View) => void, theme: () => void, help: () => void}} page
 * @returns {Binding[]} */
export function commonKeys({ views, go, theme, help }) {
  return [
    ...(views.length > 1 ? views.map((view, i) => ({ keys: [String(i + 1)], what: view.title, run: () => go(view) })) : []),
    { keys: ["t"], what: "light or dark", run: theme },
    { keys: ["?"], what: "this help", run: help },
  ];
}

/** Whether a single key pressed here belongs to the element it was pressed in. @param {KeyboardEvent} event @returns {boolean} */
function taken(event) {
  const { target, key } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (document.querySelector("dialog[open]")) return true;
  if (target.closest("input, textarea, select, [contenteditable]")) return true;
  if (key === "Enter") return target.closest("button, a, [role=tab]") !== null;
  return (key === "ArrowDown" || key === "ArrowUp") && target.closest(".detail, pre") !== null;
}

/** @param {Binding[]} list @returns {() => void} call it to stop listening */
export function listen(list) {
  const byKey = new Map(list.flatMap((binding) => binding.keys.map((key) => [key, binding])));
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing || taken(event)) return;
    const binding = byKey.get(event.key);
    if (!binding) return;
    event.preventDefault();
    binding.run();
  };
  addEventListener("keydown", onKeyDown);
  return () => removeEventListener("keydown", onKeyDown);
}
