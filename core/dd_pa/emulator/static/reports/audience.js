// Whose events a report counts: everybody's, of people that a search finds, or of a segment that was kept.
import { html, useEffect, useState } from "../vendor/vendor.js";
import { ask, found, keepSegment, segments, deleteSegment } from "./ask.js";
import { change, Choice, one, Text } from "./report.js";
import { term } from "./terms.js";
import { count } from "../shared/format.js";
import { Dialog } from "../shared/dialog.js";
import { toast } from "../shared/announce.js";
import { useStore } from "../shared/hooks.js";
import { Store } from "../shared/store.js";

/** @typedef {import("./ask.js").Segment} Segment */
/** @typedef {import("./ask.js").SegmentText} SegmentText */
/** @typedef {"" | "users" | "accounts" | "segment" | "outside"} Kind */
/** @typedef {{kind: Kind, text: string}} Who `text` is a search, or the name of a segment */

class Known extends Store {
  /** @type {Segment[]} */
  all = [];

  async load() {
    this.all = await segments().catch(() => []);
    this.changed();
  }
}

const known = new Known();
const MOST_IDS = 100;
const kinds = /** @type {[Kind, string][]} */ ([["", "everybody"], ["users", "users who match"], ["accounts", "accounts that match"], ["segment", "in the segment"], ["outside", "not in the segment"]]);
/** @type {Who} */
const everybody = { kind: "", text: "" };

/** @param {import("../shared/router.js").Place} place @returns {string} as it stands in the address: `users:user_email:*@acme.test` */
export const whoOf = (place) => (parsed(one(place, "who", "")).kind ? one(place, "who", "") : "");

/** @param {string} who @returns {Who} */
function parsed(who) {
  const [kind, ...rest] = who.split(":");
  const known = kinds.find(([each]) => each && each === kind);
  return known ? { kind: known[0], text: rest.join(":") } : everybody;
}

/** The part of a query that says it; nothing for everybody. @param {string} who @returns {{audience_filters?: Record<string, unknown>}} */
export function audience(who) {
  const { kind, text } = parsed(who);
  if (!kind || (isSegment(kind) && !text)) return {};
  const members = isSegment(kind) ? { segments: [{ name: "who", segment_id: text }] } : { [kind]: [{ name: "who", query: text }] };
  return { audience_filters: { ...members, formula: kind === "outside" ? "NOT who" : "who" } };
}

/** @param {Kind} kind */
const isSegment = (kind) => kind === "segment" || kind === "outside";

/** What to search for in Live, which knows no audience: the ids of those who did it; null where they are too many.
 * @param {string} who @param {string} q @param {import("./ask.js").Span} span @returns {Promise<string | null>} */
export async function searchOfMembers(who, q, span) {
  const { kind, text } = parsed(who);
  const of = isSegment(kind) ? known.all.find(({ name }) => name === text)?.of : kind;
  const facet = of === "accounts" ? "@account.id" : "@usr.id";
  const query = { query: found(q), compute: { aggregation: "count" }, group_by: [{ facet, limit: MOST_IDS + 1, should_exclude_missing: true }], ...audience(who) };
  const { columns } = await ask("analytics/scalar", "formula_analytics_extended_request", { ...span, query });
  const ids = columns[0]?.values ?? [];
  return ids.length > MOST_IDS ? null : `(${ids.map((/** @type {string} */ id) => term(facet, id)).join(" OR ")})`;
}

/** @param {{what: () => Promise<SegmentText>, note?: string, onClose: () => void}} props */
function Keep({ what, note, onClose }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  /** @param {Event} event */
  const keep = async (event) => {
    event.preventDefault();
    try {
      await keepSegment({ name, ...(await what()) });
      void known.load();
      toast.say(`Segment ${name.trim()} kept`);
      onClose();
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    }
  };
  return html`<${Dialog} title="Keep as a segment" onClose=${onClose}>
    <form class="save-form" onSubmit=${keep}>
      <input class="field" aria-label="Name of the segment" placeholder="Name of the segment" maxlength="100" value=${name} onInput=${(/** @type {Event} */ event) => setName(/** @type {HTMLInputElement} */ (event.target).value)} />
      <button type="submit" class="button primary" disabled=${!name.trim()}>Keep</button>
    </form>
    ${problem && html`<p class="bad" role="alert">${problem}</p>`}
    <p class="quiet">${note ?? ""} Every report can count a segment alone, or leave it out.</p>
  <//>`;
}

/** A button that gives people a name. @param {{what: () => Promise<SegmentText>, note?: string}} props */
export function KeepButton({ what, note }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="plain small" onClick=${() => setOpen(true)}>Keep as a segment</button>
    ${open && html`<${Keep} what=${what} note=${note} onClose=${() => setOpen(false)} />`}`;
}

/** @param {Segment} segment @returns {string} */
const described = ({ of, search, count: ids, given }) => `${search === undefined ? `${count(ids ?? 0)} ${of}` : `${of}: ${search || "all"}`}${given ? ", of --segments" : ""}`;

/** @param {{onClose: () => void}} props */
const Segments = ({ onClose }) => html`<${Dialog} title="Segments" onClose=${onClose}>
  <ul class="saved-list">
    ${known.all.map(
      (segment) => html`<li key=${segment.name}>
        <span>${segment.name} <span class="faint">${described(segment)}</span></span>
        ${!segment.given && html`<button type="button" class="plain small" aria-label=${`Delete ${segment.name}`} onClick=${() => deleteSegment(segment.name).then(() => known.load())}>delete</button>`}
      </li>`,
    )}
  </ul>
<//>`;

/** The control of a report. @param {{page: import("../shared/views.js").Page}} props */
export function Audience({ page }) {
  const { place } = page.router;
  const { kind, text } = parsed(whoOf(place));
  const [open, setOpen] = useState(false);
  useStore(known);
  useEffect(() => void known.load(), []);
  /** @param {string} kind @param {string} text */
  const set = (kind, text) => change(page, { who: kind && `${kind}:${text}`, cell: null, lost: null });
  /** @param {string} chosen */
  const choose = (chosen) => set(chosen, isSegment(/** @type {Kind} */ (chosen)) ? (isSegment(kind) ? text : (known.all[0]?.name ?? "")) : isSegment(kind) ? "" : text);
  const offered = known.all.length || isSegment(kind) ? kinds : kinds.filter(([each]) => !isSegment(each));
  const names = [...new Set([...known.all.map(({ name }) => name), ...(isSegment(kind) && text ? [text] : [])])];
  return html`<${Choice} label="People" value=${kind} options=${offered} onChoose=${choose} />
    ${(kind === "users" || kind === "accounts") &&
    html`<${Text} label="Match" value=${text} placeholder=${kind === "users" ? "user_email:*@acme.test" : "account_name:Acme"} onChoose=${(/** @type {string} */ value) => set(kind, value)} />
      ${text && html`<${KeepButton} what=${async () => ({ [kind]: text })} note="The search is kept: who matches belongs to it." />`}`}
    ${isSegment(kind) && html`<${Choice} label="Segment" value=${text} options=${names.map((name) => [name, name])} onChoose=${(/** @type {string} */ name) => set(kind, name)} />
      <button type="button" class="plain small" onClick=${() => setOpen(true)}>Segments …</button>`}
    ${open && html`<${Segments} onClose=${() => setOpen(false)} />`}`;
}
