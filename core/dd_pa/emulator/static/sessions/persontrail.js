// A person over sessions: the one before this, the one after it, and all of them.
import { html, useEffect, useState } from "../vendor/vendor.js";
import * as api from "../shared/api.js";
import { clock, count, day } from "../shared/format.js";
import { follow, ROOT, sessionPath } from "../shared/links.js";
import { term } from "../reports/terms.js";

/** @typedef {import("../shared/api.js").SessionHead} SessionHead */
/** @typedef {{earlier: SessionHead | null, later: SessionHead | null, place: number | null, total: number}} Trail `place` counts from the first session, 1; null where it is too far back */

const MOST = 500;

/** The search for all sessions of whom a session is about, and what that is called. @param {SessionHead} session @returns {{q: string, whose: string} | null} */
function personOf({ usr, anonymous_id: anonymous }) {
  if (usr) return { q: term("usr.id", usr.id), whose: usr.name ?? usr.id };
  return anonymous ? { q: term("usr.anonymous_id", anonymous), whose: "this browser" } : null;
}

/** @param {string} q @param {string} id @param {AbortSignal} signal @returns {Promise<Trail>} */
async function trailOf(q, id, signal) {
  const { sessions, total } = await api.sessions({ q, limit: MOST }, signal); // the latest first
  const at = sessions.findIndex((session) => session.id === id);
  if (at < 0) return { earlier: null, later: null, place: null, total };
  return { earlier: sessions[at + 1] ?? null, later: sessions[at - 1] ?? null, place: total - at, total };
}

/** @param {{session: SessionHead, router: import("../shared/router.js").Router}} props */
export function PersonTrail({ session, router }) {
  const person = personOf(session);
  const [trail, setTrail] = useState(/** @type {Trail | null} */ (null));
  useEffect(() => {
    setTrail(null);
    if (!person) return undefined;
    const stop = new AbortController();
    trailOf(person.q, session.id, stop.signal).then(setTrail, () => stop.signal.aborted || setTrail(null));
    return () => stop.abort();
  }, [session.id, person?.q]);
  if (!person || !trail || trail.total < 2) return null;
  /** @param {SessionHead | null} other @param {string} words */
  const link = (other, words) =>
    other &&
    html`<a href=${sessionPath(other.id)} onClick=${(/** @type {MouseEvent} */ event) => follow(event, () => router.go({ path: sessionPath(other.id), at: null, kinds: null }, { push: true }))}>${words} <span class="faint">${day(other.start)}${clock(other.start)}</span></a>`;
  const list = () => router.go({ path: ROOT, q: person.q, at: null, kinds: null }, { push: true });
  return html`<nav class="trail" aria-label="Sessions of the same person">
    <span>${trail.place !== null && `Session ${count(trail.place)} of `}<a href=${`${ROOT}?q=${encodeURIComponent(person.q)}`} onClick=${(/** @type {MouseEvent} */ event) => follow(event, list)}>${count(trail.total)} of ${person.whose}</a></span>
    ${link(trail.earlier, "← Earlier")}${link(trail.later, "Later →")}
  </nav>`;
}
