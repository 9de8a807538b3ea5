// The views of the page. A new one is a module with a component, and an entry here: tab, address and number key follow.
import { Explore, exploreKeys } from "../reports/explore.js";
import { Funnel, funnelKeys } from "../reports/funnel.js";
import { liveKeys } from "./keys.js";
import { Live } from "../live/live.js";
import { ROOT as SESSIONS, ROOT_PLAN } from "./links.js";
import { Paths, pathsKeys } from "../reports/paths.js";
import { planKeys, PlanView } from "../plan/plan.js";
import { Retention, retentionKeys } from "../reports/retention.js";
import { sessionKeys, SessionsView } from "../sessions/sessions.js";

/** @typedef {{feed: import("../live/feed.js").Feed, router: import("./router.js").Router, opened: import("../live/opened.js").Opened,
 *   actions: import("./actions.js").Actions}} Page */
/**
 * @typedef {object} View
 * @property {string} path all below it is the view's too
 * @property {string} title
 * @property {(props: {page: Page}) => import("../vendor/vendor.js").VNode} component
 * @property {(page: Page) => import("./keys.js").Binding[]} keys besides those of all views
 */

/** @type {View[]} */
export const views = [
  { path: "/", title: "Live", component: Live, keys: ({ actions }) => liveKeys(actions) },
  { path: SESSIONS, title: "Sessions", component: SessionsView, keys: sessionKeys },
  { path: "/explore", title: "Explore", component: Explore, keys: exploreKeys },
  { path: "/funnel", title: "Funnel", component: Funnel, keys: funnelKeys },
  { path: "/retention", title: "Retention", component: Retention, keys: retentionKeys },
  { path: "/paths", title: "Paths", component: Paths, keys: pathsKeys },
  { path: ROOT_PLAN, title: "Plan", component: PlanView, keys: planKeys },
];

/** @param {string} path @returns {View} the first one where no view has this address */
export const viewAt = (path) => views.find((view) => view.path !== "/" && path.startsWith(view.path)) ?? views[0];
