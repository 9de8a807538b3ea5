// What stands in the body of a moment, by its path.

/** @typedef {import("../shared/api.js").Moment} Moment */

const NANOSECONDS = 1e6;

/** What stands at a path of an event. @param {Moment} moment @param {string[]} path @returns {unknown} */
export function member(moment, ...path) {
  /** @type {any} */
  let value = moment.body;
  for (const key of path) value = typeof value === "object" && value !== null ? value[key] : undefined;
  return value;
}

/** @param {Moment} moment @param {string[]} path @returns {string | null} */
export function text(moment, ...path) {
  const value = member(moment, ...path);
  return typeof value === "string" && value !== "" ? value : null;
}

/** Milliseconds of what the browser sends in nanoseconds. @param {Moment} moment @param {string[]} path @returns {number | null} */
export function nanoseconds(moment, ...path) {
  const value = member(moment, ...path);
  return typeof value === "number" && value >= 0 ? value / NANOSECONDS : null;
}
