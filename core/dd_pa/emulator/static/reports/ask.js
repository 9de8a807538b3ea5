// Asks Datadog's query API, which the emulator answers on Datadog's own paths; and its own few routes for reports.
import { ApiError } from "../shared/api.js";
import { useTaken } from "../shared/hooks.js";
import { refreshing } from "./refresh.js";
import { useEffect, useRef, useState } from "../vendor/vendor.js";

/** @typedef {{from: number, to: number}} Span epoch ms */
/** @typedef {{data_source: "product_analytics", search: {query: string}}} BaseQuery */

/** @param {string} query @returns {BaseQuery} */
export const found = (query) => ({ data_source: "product_analytics", search: { query: query || "*" } });

/** @param {Response} response @returns {Promise<any>} */
async function read(response) {
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const error = body?.errors?.[0];
  const words = typeof error === "string" ? error : (error?.detail ?? `The emulator answered ${response.status}.`);
  throw new ApiError(response.status, String(words), null);
}

/** @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
const post = (path, body, signal) =>
  fetch(path, { method: "POST", body: JSON.stringify(body), signal, headers: { "Content-Type": "application/json" } }).then(read);

/** @param {string} path @param {string} type @param {Record<string, unknown>} attributes */
export const requestOf = (path, type, attributes) => ({ path: `/api/v2/product-analytics/${path}`, body: { data: { type, attributes } } });

/** What only the emulator answers: the same with a window. @param {string} path @param {string} type @param {Record<string, unknown>} attributes */
export const ownRequestOf = (path, type, attributes) => ({ path: `/api/emulator/${path}`, body: { data: { type, attributes } } });

/** Runs one query and returns the attributes of its answer. @param {string} path @param {string} type
 * @param {Record<string, unknown>} attributes @param {AbortSignal} [signal] @returns {Promise<any>} */
export const ask = (path, type, attributes, signal) => answered(requestOf(path, type, attributes), signal);

/** @param {{path: string, body: unknown}} request @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function answered(request, signal) {
  const answer = await post(request.path, request.body, signal);
  const status = answer.meta?.status ?? "done";
  if (status !== "done") throw new ApiError(200, `The query is not done: ${status}.`, null);
  return answer.data.attributes;
}

/** @returns {Promise<string[]>} facets, as `@order.total` */
export const facets = () => fetch("/api/emulator/facets").then(read).then((body) => body.facets);

/** @typedef {{name: string, address: string}} SavedView */
/** @returns {Promise<SavedView[]>} */
export const savedViews = () => fetch("/api/emulator/views").then(read).then((body) => body.views);

/** @param {SavedView} view @returns {Promise<SavedView[]>} */
export const saveView = (view) => post("/api/emulator/views", view).then((body) => body.views);

/** @param {string} name */
export const deleteView = (name) =>
  fetch(`/api/emulator/views/${encodeURIComponent(name)}`, { method: "DELETE", headers: { "Content-Type": "application/json" } });

/** @typedef {{users: string} | {accounts: string} | {user_ids: string[]} | {account_ids: string[]}} SegmentText */
/** @typedef {{name: string, of: "users" | "accounts", given: boolean, search?: string, count?: number}} Segment `given` with --segments */
/** @returns {Promise<Segment[]>} */
export const segments = () => fetch("/api/emulator/segments").then(read).then((body) => body.segments);

/** @param {{name: string} & SegmentText} segment */
export const keepSegment = (segment) => post("/api/emulator/segments", segment);

/** @param {string} name */
export const deleteSegment = (name) =>
  fetch(`/api/emulator/segments/${encodeURIComponent(name)}`, { method: "DELETE", headers: { "Content-Type": "application/json" } });

/**
 * What is known of a question: its newest answer, which stays while the next one is worked out.
 * @template A
 * @typedef {{answer: A | null, problem: ApiError | null, running: boolean, retry: () => void}} Asked
 */

/** Asks again whenever `key` changes; an older question is given up. @template A
 * @param {string} key @param {(signal: AbortSignal) => Promise<A>} run @returns {Asked<A>} */
export function useAnswer(key, run) {
  const [state, setState] = useState(/** @type {Omit<Asked<A>, "retry">} */ ({ answer: null, problem: null, running: true }));
  const [again, setAgain] = useState(0);
  const times = useTaken(refreshing, (store) => store.times);
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, running: true }));
    latest.current(stop.signal).then(
      (answer) => !stop.signal.aborted && setState({ answer, problem: null, running: false }),
      (problem) => {
        if (stop.signal.aborted) return;
        const known = problem instanceof ApiError ? problem : new ApiError(0, "The emulator does not answer.", null);
        setState((before) => ({ ...before, problem: known, running: false }));
      },
    );
    return () => stop.abort();
  }, [key, again, times]);
  return { ...state, retry: () => setAgain((n) => n + 1) };
}
