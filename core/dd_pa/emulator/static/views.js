// The views of the page. A new one is a module with a component, and an entry here: tab, address and key follow.
import { Live } from "./live.js";

/** @typedef {{feed: import("./feed.js").Feed, router: import("./router.js").Router, opened: import("./opened.js").Opened,
 *   actions: import("./actions.js").Actions}} Page */
/** @typedef {{path: string, title: string, component: (props: {page: Page}) => import("./vendor/vendor.js").VNode}} View */

/** @type {View[]} */
export const views = [{ path: "/", title: "Live", component: Live }];

/** @param {string} path @returns {View} the first one where no view has this address */
export const viewAt = (path) => views.find((view) => view.path !== "/" && path.startsWith(view.path)) ?? views[0];
