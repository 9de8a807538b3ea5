// Addresses of sessions, and links that are followed inside the page.

export const ROOT = "/sessions";
export const ROOT_PLAN = "/plan";

/** @param {string} path @returns {string | null} */
export function sessionIn(path) {
  const rest = path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : "";
  try {
    return rest === "" ? null : decodeURIComponent(rest);
  } catch {
    return rest;
  }
}

/** @param {string} id @returns {string} */
export const sessionPath = (id) => `${ROOT}/${encodeURIComponent(id)}`;

/** Follows a link inside the page; other clicks (a new tab) are the browser's.
 * @param {MouseEvent} event @param {() => void} go */
export function follow(event, go) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  go();
}

/** Returns to the list as it was left, by the history where it is one step back. @param {import("./router.js").Router} router */
export function backToList(router) {
  const { before } = history.state ?? {};
  if (before === ROOT || before?.startsWith(`${ROOT}?`)) history.back();
  else router.go({ path: ROOT, q: "", at: null, kinds: null });
}
