// What can be done in the Live view, by button and by key alike.
import { RECEIVED, SEQ } from "./api.js";
import { announce, toast } from "./announce.js";
import { copy } from "./clipboard.js";
import { curlOf } from "./curl.js";
import { sessionPath } from "./links.js";
import { scroller } from "../live/list.js";
import { searchFocus } from "./search.js";
import { Store } from "./store.js";
import { term, withTerm } from "../reports/terms.js";

/** @typedef {import("./api.js").Scalar} Scalar */
/** @typedef {import("./router.js").Place} Place */

const noFilter = /** @type {const} */ ({ q: "", status: "all", from: null, to: null });

export class Actions extends Store {
  /** @param {import("../live/feed.js").Feed} feed @param {import("./router.js").Router} router @param {import("../live/opened.js").Opened} opened */
  constructor(feed, router, opened) {
    super();
    this.feed = feed;
    this.router = router;
    this.opened = opened;
    /** @type {number | null} row the keyboard is at */
    this.cursor = null;
  }

  /** @param {number | null} seq */
  point(seq) {
    this.cursor = seq;
    this.changed();
    if (seq !== null) requestAnimationFrame(() => scroller.current?.(seq));
  }

  open = (/** @type {number} */ seq) => {
    this.feed.hold("event");
    const first = this.router.place.event === null;
    this.router.go({ event: seq }, { push: first });
    this.point(seq);
  };

  close = () => {
    this.feed.release("cursor");
    this.router.leave({ event: null, tab: "event" });
    scroller.focus?.();
  };

  /** One row older (+1) or newer (-1); an open panel follows. @param {number} step */
  move(step) {
    const { rows, shown } = this.feed;
    if (!shown) return;
    const at = this.cursor === null ? -1 : rows.position(this.cursor);
    const next = at < 0 ? shown - 1 : Math.min(shown - 1, Math.max(0, at - step));
    const seq = rows.all[next][SEQ];
    if (this.router.place.event !== null) return this.open(seq);
    this.feed.hold("cursor");
    this.point(seq);
  }

  enter = () => {
    if (this.cursor !== null && this.router.place.event === null) this.open(this.cursor);
  };

  /** Closes what is open, then lets go of the row, then clears the filters. */
  escape = () => {
    if (this.router.place.event !== null) this.close();
    else if (this.feed.holds.has("cursor")) {
      this.feed.release("cursor");
      this.point(null);
    } else this.clearFilters();
  };

  pause = () => {
    const paused = this.feed.holds.has("pause");
    if (paused) this.feed.release("pause");
    else this.feed.hold("pause");
    announce(paused ? "Resumed" : "Paused");
  };

  newest = () => {
    scroller.top?.();
    this.feed.catchView();
  };

  /** @param {Place["status"]} status */
  status = (status) => this.router.go({ status });

  /** Shows the events of browsers too, or hides them. */
  browsers = () => this.router.go({ source: this.router.place.source === "all" ? "server" : "all" });

  rejected = () => this.status(this.router.place.status === "rejected" ? "all" : "rejected");

  /** @param {string} q */
  search = (q) => this.router.go({ q });

  /** @param {{from: number | null, to: number | null}} range */
  range = ({ from, to }) => this.router.go({ from, to });

  clearFilters = () => this.router.go({ ...noFilter });

  /** Starts an empty list: shows what is received from now on; nothing is deleted. */
  clear = () => {
    const { rows } = this.feed;
    if (rows.length) this.range({ from: rows.all[rows.length - 1][RECEIVED] + 1, to: null });
  };

  /** @param {string} path @param {Scalar} value @param {boolean} [not] */
  filter = (path, value, not = false) => {
    const q = withTerm(this.router.place.q, term(path, value), not);
    this.router.go({ q });
    announce(`Search: ${q}`);
  };

  onlySession = () => {
    const session = this.opened.detail?.session;
    if (session) this.filter("session.id", session);
    else toast.say("No session to filter by");
  };

  /** @param {string} session */
  openSession = (session) => this.router.visit(sessionPath(session));

  /** @param {Place["tab"]} tab */
  tab = (tab) => this.router.go({ tab });

  copyJson = () => {
    const { detail } = this.opened;
    if (!detail) return;
    void copy(detail.body === null ? (detail.raw ?? "") : JSON.stringify(detail.body, null, 2), "JSON");
  };

  copyCurl = () => {
    if (this.opened.detail) void copy(curlOf(this.opened.detail), "curl command");
  };

  focusSearch = () => searchFocus.current?.();
}
