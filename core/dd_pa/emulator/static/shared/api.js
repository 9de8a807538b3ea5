// The emulator's own API: what goes over the wire and how an error answer looks.

/**
 * One row of the list, an array so that 50,000 of them stay small; read it with the names below.
 * @typedef {[seq: number, received: number, name: string | null, user: string | null, account: string | null,
 *   session: string | null, status: number, reason: string | null, attributes: [string, string][],
 *   delay: number | null, occurred: number | null, kind: MomentKind,
 *   offPlan: [kind: OffPlan["kind"], text: string] | null]} Summary
 */
export const SEQ = 0;
export const RECEIVED = 1;
export const NAME = 2;
export const USER = 3;
export const ACCOUNT = 4;
export const SESSION = 5;
export const STATUS = 6;
export const REASON = 7;
export const ATTRIBUTES = 8;
export const DELAY = 9;
export const OCCURRED = 10;
export const KIND = 11;
export const OFF_PLAN = 12;
/** Events that the list does not hold have numbers below 0: those of the warehouse, less this. */
export const FORMER = 2 ** 40;

/** @typedef {{q: string, status: "all" | "accepted" | "rejected", source: "server" | "all", from: number | null, to: number | null}} Filter `from` included, `to` not, epoch ms */
/**
 * @typedef {{boot: string, events: Summary[], total: number, kept: number, received: number, rejected: number,
 *   oldest: number | null, next: number | null, seq: number, plan: number}} Page
 */
/** @typedef {{events: Summary[], next: number | null, total?: number | null}} OlderPage events that are no longer in memory; `next` is the next page's `before`; no `total`: to count them takes long */
/** @typedef {{bucket: number, from: number, to: number, buckets: [number, number, number][], seq?: number}} Histogram */
/** @typedef {[name: string, value: string][]} Headers */
/** @typedef {string | number | boolean | null} Scalar */
/**
 * @typedef {{seq: number, received_ms: number, status: number, reason: string | null, reason_path: string | null,
 *   name: string | null, usr: string | null, account: string | null, session: string | null,
 *   occurred_ms: number | null, delay_ms: number | null, event_id: string | null, duplicates: number[],
 *   body: unknown, raw: string | null, size: number, off_plan: OffPlan | null, facets: [string, Scalar][],
 *   request: {headers: Headers, encoding: string | null},
 *   response: {status: number, headers: Headers, body: string} | null}} Detail
 */

/** @typedef {"view" | "action" | "error" | "resource" | "long_task" | "vital" | "server"} MomentKind */
/** @typedef {{id: string, name?: string, email?: string}} Person */
/**
 * @typedef {{id: string, change: number, usr: Person | null, account: Person | null, anonymous_id: string | null,
 *   application_id: string | null, start: number, end: number, counts: Record<MomentKind, number>,
 *   last_page: {name: string, url: string, at: number, is_active: boolean} | null,
 *   browser: {name: string | null, version: string | null, os: string | null} | null, sdk_version: string | null,
 *   service: string | null}} SessionHead
 */
/** @typedef {{boot: string, change: number, sessions: SessionHead[], total: number, complete: boolean, next: string | null}} SessionPage `complete`: all events were looked at, else there may be more than `total` */
/**
 * One event of a session.
 * @typedef {{key: number, kind: MomentKind, at: number, received_ms: number, name: string, detail: string | null,
 *   duration_ms: number | null, usr: string | null, account: string | null, view: string | null, action: string | null,
 *   trace_id: string | null, span_id: string | null, trace_key: string | null, row: number | null,
 *   event_id: string | null, body: Record<string, unknown>, off_plan?: OffPlan | null}} Moment
 */
/** @typedef {{change: number, session: SessionHead, events: Moment[]}} SessionDetail */

/** @typedef {{reason: string, name: string, count: number, last_ms: number, meaning: string, fix: string}} Drop */

/** What the plan says of an event that is not as declared: differs from its declaration, or has none.
 * @typedef {{kind: "off" | "undeclared", findings: [path: string, problem: string][]}} OffPlan */
/** @typedef {{until: string, use: string} | null} Deprecated */
/** @typedef {{path: string, types: string, required: boolean, description: string, personal: boolean, deprecated: Deprecated}} PlanField */
/** @typedef {{count: number, last_ms: number | null, services: string[]}} Sighting `services`: "" for events that name none */
/**
 * @typedef {Sighting & {name: string, description: string, owner: string, deprecated: Deprecated, source: string, fields: PlanField[],
 *   off_plan: number, problems: [problem: string, times: number][], last_off: number | null}} PlanEvent
 */
/** @typedef {Sighting & {name: string, nearest: string | null}} UndeclaredEvent */
/** @typedef {{revision: number, events: PlanEvent[], undeclared: UndeclaredEvent[]}} PlanCatalogue `revision` 0: no plan is known */

const root = "/api/emulator";

/** An answer that is not a success. `column` is the offset in the search where it stops making sense. */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail @param {number | null} column */
  constructor(status, detail, column) {
    super(detail);
    this.status = status;
    this.column = column;
  }
}

/** @param {Record<string, string | number | null | undefined>} values @returns {string} */
function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "" && !(name === "status" && value === "all")) search.set(name, String(value));
  }
  return search.size ? `?${search}` : "";
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
async function get(path, signal) {
  const response = await fetch(root + path, { signal, headers: { Accept: "application/json" } });
  if (response.ok) return response.json();
  const body = await response.json().catch(() => null);
  const error = body?.errors?.[0];
  const detail = error?.detail ?? `The emulator answered ${response.status}.`;
  throw new ApiError(response.status, String(detail), Number.isInteger(error?.column) ? error.column : null);
}

/** @param {Filter & {before?: number | null, limit: number}} wanted @param {AbortSignal} [signal] @returns {Promise<Page>} */
export const events = (wanted, signal) => get(`/events${query(wanted)}`, signal);

/** @param {number} seq @param {AbortSignal} [signal] @returns {Promise<Detail>} */
export const event = (seq, signal) => get(seq < 0 ? `/older/${seq + FORMER}` : `/events/${seq}`, signal);

/** @param {Filter & {before?: number | null, limit: number}} wanted @param {AbortSignal} [signal] @returns {Promise<OlderPage>} */
export const older = (wanted, signal) => get(`/older${query(wanted)}`, signal);

/** What programs dropped before they sent it, the latest first. @param {AbortSignal} [signal] @returns {Promise<{total: number, drops: Drop[]}>} */
export const drops = (signal) => get("/drops", signal);

/** What is declared, and what was seen of it. @param {AbortSignal} [signal] @returns {Promise<PlanCatalogue>} */
export const plan = (signal) => get("/plan", signal);

/** Counts over the last 15 minutes, or of a time cut into buckets.
 * @param {Filter} filter @param {{bucket: number} | null} cut @param {AbortSignal} [signal] @returns {Promise<Histogram>} */
export const histogram = ({ q, status, source, from, to }, cut, signal) => get(`/histogram${query({ q, status, source, ...(cut && { ...cut, from, to }) })}`, signal);

/** @param {Filter} filter @param {number | null} after @returns {string} */
export const streamAddress = ({ q, status, source }, after) => root + `/stream${query({ q, status, source, after })}`;

/** @param {{q: string, before?: string | null, limit: number}} wanted @param {AbortSignal} [signal] @returns {Promise<SessionPage>} */
export const sessions = (wanted, signal) => get(`/sessions${query(wanted)}`, signal);

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<SessionDetail>} */
export const session = (id, signal) => get(`/sessions/${encodeURIComponent(id)}`, signal);

/** Says which sessions changed. @param {number | null} after @returns {string} */
export const changesAddress = (after) => root + `/changes${query({ after })}`;
