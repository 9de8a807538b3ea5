// The search and its switches. The server alone reads a search; the page shows what it says of it.
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { FacetValues } from "../reports/facetvalues.js";
import { Chips } from "./chips.js";
import { clock, count, day } from "./format.js";
import { useStore } from "./hooks.js";
import * as icons from "./icons.js";

const TYPING_MS = 200;
const AROUND = 40;
const DAY = 86_400_000;

/** Focuses the input; set by the search that is mounted. @type {{current: (() => void) | null}} */
export const searchFocus = { current: null };

/** @param {{q: string, problem: import("./api.js").ApiError}} props */
function Problem({ q, problem }) {
  const { column, message } = problem;
  if (column === null) return html`<p class="problem" id="search-problem" role="alert">${message}</p>`;
  const at = Math.min(column, q.length);
  const before = q.slice(Math.max(0, at - AROUND), at);
  return html`<p class="problem" id="search-problem" role="alert">
    <code>${at > AROUND && "…"}${before}<mark>${q[at] ?? " "}</mark>${q.slice(at + 1, at + AROUND)}</code>
    <span>Column ${column + 1}: ${message}</span>
  </p>`;
}

/** @param {{feed: import("../live/feed.js").Feed}} props */
function Found({ feed }) {
  const { q, status, from, to } = feed.filter;
  const { kept, total } = feed.held ?? feed.numbers;
  if (feed.mayBeMore) return html`<span class="found">the newest ${count(feed.rows.length)}</span>`;
  const former = feed.former.total ?? 0;
  const matches = feed.held ? total + former : feed.matches;
  const filtered = q || status !== "all" || from !== null || to !== null;
  if (former) return html`<span class="found">${filtered ? `${count(matches)} found` : count(kept + former)}</span>`;
  return html`<span class="found">${filtered ? `${count(matches)} of ${count(kept)}` : count(kept)}</span>`;
}

/** @param {{q: string, invalid: boolean, label: string, placeholder: string, onSearch: (q: string) => void}} props */
function Input({ q, invalid, label, placeholder, onSearch }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [draft, setDraft] = useState(q);
  const timer = useRef(0);
  const sent = useRef(q);

  // A search set from elsewhere (a facet, Back) stands in the input; what is being typed is left alone.
  useEffect(() => {
    if (q !== sent.current) setDraft(q);
    sent.current = q;
  }, [q]);
  useEffect(() => {
    searchFocus.current = () => {
      input.current?.focus();
      input.current?.select();
    };
  }, []);

  /** @param {string} text */
  const send = (text) => {
    clearTimeout(timer.current);
    sent.current = text;
    onSearch(text);
  };
  /** @param {InputEvent} event */
  const onInput = (event) => {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    setDraft(value);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => send(value), TYPING_MS);
  };
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key === "Enter") send(draft);
    else if (event.key === "Escape" && draft) setDraft(""), send("");
    else if (event.key === "Escape") input.current?.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<input
    ref=${input}
    class="search-input"
    type="text"
    role="searchbox"
    inputmode="search"
    autocomplete="off"
    autocapitalize="off"
    spellcheck=${false}
    aria-label=${label}
    aria-invalid=${invalid ? "true" : "false"}
    aria-describedby=${invalid ? "search-problem" : undefined}
    placeholder=${placeholder}
    value=${draft}
    onInput=${onInput}
    onKeyDown=${onKeyDown}
  />`;
}

/** A search line of a view without the switches of the Live view.
 * @param {{q: string, problem: import("./api.js").ApiError | null, label: string, placeholder: string, span: () => import("../reports/ask.js").Span, onSearch: (q: string) => void}} props
 * `span`: the time of whose events the values of a facet are counted */
export function Search({ q, problem, label, placeholder, span, onSearch }) {
  return html`<div class="plain-search" role="search">
    <div class="search-line"><div class=${`search-box${problem ? " wrong" : ""}`}>
      ${icons.search}
      <${Input} q=${q} invalid=${problem !== null} label=${label} placeholder=${placeholder} onSearch=${onSearch} />
      <kbd aria-hidden="true">/</kbd>
    </div><${FacetValues} q=${q} span=${span} onSearch=${onSearch} /></div>
    ${problem && html`<${Problem} q=${q} problem=${problem} />`}
    <${Chips} q=${q} onSearch=${onSearch} />
  </div>`;
}

/** @param {number} ms @returns {string} local, with the day where it is another */
const moment = (ms) => `${day(ms)}${clock(ms)}`;

/** @param {{from: number | null, to: number | null, onClear: () => void}} props */
const Range = ({ from, to, onClear }) => html`<p class="range">
  <span>Only events ${from === null ? "" : `from ${moment(from)} `}${to === null ? "" : `until ${moment(to)} `}<span class="faint">local time</span></span>
  <button type="button" class="icon-button" aria-label="All times" onClick=${onClear}>${icons.close}</button>
</p>`;

/** @param {{feed: import("../live/feed.js").Feed, place: import("./router.js").Place, actions: import("./actions.js").Actions}} props */
export function SearchBar({ feed, place, actions }) {
  useStore(feed);
  const paused = feed.holds.has("pause");
  const rejected = (feed.held ?? feed.numbers).rejected;
  /** @param {"all" | "accepted" | "rejected"} status @param {unknown} label */
  const choice = (status, label) => html`<button
    type="button"
    aria-pressed=${place.status === status ? "true" : "false"}
    onClick=${() => actions.status(status)}
  >
    ${label}
  </button>`;
  return html`<div class="search">
    <div class="search-line" role="search">
      <div class=${`search-box${feed.problem ? " wrong" : ""}`}>
        ${icons.search}
        <${Input}
          q=${place.q}
          invalid=${feed.problem !== null}
          label="Search events"
          placeholder="Search: @event.name:checkout.* @usr.id:user-12345 -@customer.tier:free"
          onSearch=${actions.search}
        />
        <${Found} feed=${feed} />
        <kbd aria-hidden="true">/</kbd>
      </div>
      <${FacetValues} q=${place.q} among=${place.source === "all" ? "" : "@type:server"} span=${() => ({ from: place.from ?? 1, to: (place.to ?? Date.now() + DAY) - 1 })} onSearch=${actions.search} />
      <div class="segments" role="group" aria-label="Which events">
        ${choice("all", "All")}${choice("accepted", "Accepted")}
        ${choice("rejected", html`Rejected <b class=${rejected ? "bad" : ""}>${count(rejected)}</b>`)}
      </div>
      <button type="button" class="button" aria-pressed=${place.source === "all"} title="The browser's events among them: pages, clicks, errors, requests" onClick=${actions.browsers}>${icons.browser}<span class="label">Browser</span></button>
      <button type="button" class="button" title="Clear the list; events are kept (x)" onClick=${actions.clear}>${icons.clear}<span class="label">Clear</span></button>
      <button type="button" class=${`button${paused ? " primary" : ""}`} title=${paused ? "Resume (p)" : "Pause (p)"} onClick=${actions.pause}>
        ${paused ? icons.play : icons.pause}<span class="label">${paused ? "Resume" : "Pause"}</span>
      </button>
    </div>
    ${feed.problem && html`<${Problem} q=${place.q} problem=${feed.problem} />`}
    <${Chips} q=${place.q} onSearch=${actions.search} />
    ${(place.from !== null || place.to !== null) && html`<${Range} from=${place.from} to=${place.to} onClear=${() => actions.range({ from: null, to: null })} />`}
  </div>`;
}
