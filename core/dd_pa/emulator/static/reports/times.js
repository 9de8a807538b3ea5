// Times as reports say them: in UTC, where their bars and cohorts begin.

export { count } from "../shared/format.js";

const zone = { timeZone: "UTC" };

/** @param {number} ms @returns {string} `27 Nov` */
export const dayOf = (ms) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", ...zone });

/** @param {number} ms @returns {string} `27 Nov, 14:00` */
export const moment = (ms) => new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...zone });

/** Days by name, and times of day where bars are shorter; a day's beginning is said. @param {number} ms @param {number} interval */
export function barName(ms, interval) {
  if (interval >= 86_400_000 || ms % 86_400_000 === 0) return dayOf(ms);
  return new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...zone });
}
