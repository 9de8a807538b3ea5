// Numbers, times and ids as the page shows them. Missing is "–", never "null".

export const MISSING = "–";
const grouped = new Intl.NumberFormat("en-US");

/** @param {number} n @param {number} [length] @returns {string} */
const pad = (n, length = 2) => String(n).padStart(length, "0");

/** @param {number} n @returns {string} */
export const count = (n) => grouped.format(n);

/** @param {number} part @param {number} whole @returns {string} */
export const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : MISSING);

/** Local time of day as HH:MM:SS. @param {number} ms @returns {string} */
export function clock(ms) {
  const date = new Date(ms);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** The local date before a time of another day than today, as `24 Nov `. @param {number} ms @returns {string} */
export function day(ms) {
  const date = new Date(ms);
  if (date.toDateString() === new Date().toDateString()) return "";
  return `${date.getDate()} ${date.toLocaleString("en-GB", { month: "short" })} `;
}

/** Local time of day as HH:MM:SS.mmm. @param {number} ms @returns {string} */
export const time = (ms) => `${clock(ms)}.${pad(((ms % 1000) + 1000) % 1000, 3)}`;

/** @param {number} ms @returns {string} */
export const minute = (ms) => clock(ms).slice(0, 5);

/** Full UTC time, or the number itself where no calendar reaches. @param {number} ms @returns {string} */
export function iso(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

/** `8 ms`, `4.2 s`, `3m 07s`: two units at most. @param {number | null} ms @returns {string} */
export function duration(ms) {
  if (ms === null) return MISSING;
  const sign = ms < 0 ? "−" : "";
  const size = Math.abs(ms);
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 59_950) return `${sign}${(size / 1000).toFixed(1)} s`;
  const seconds = Math.round(size / 1000);
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  if (seconds < 86_400) return `${sign}${Math.floor(seconds / 3600)}h ${pad(Math.floor(seconds / 60) % 60)}m`;
  return `${sign}${Math.floor(seconds / 86_400)}d ${pad(Math.floor(seconds / 3600) % 24)}h`;
}

/** @param {number} perSecond @returns {string} */
export function rate(perSecond) {
  if (perSecond === 0) return "0/s";
  return perSecond < 9.95 ? `${perSecond.toFixed(1)}/s` : `${count(Math.round(perSecond))}/s`;
}

/** @param {number} bytes @returns {string} */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {string} id @returns {string} */
export const shortId = (id) => id.slice(0, 8);
