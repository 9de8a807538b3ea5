// Icons, drawn with the text's colour; they say nothing to a screen reader, the control beside them does.
import { html } from "../vendor/vendor.js";

/** @param {string} path @returns {import("../vendor/vendor.js").VNode} */
const icon = (path) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${path} /></svg>`;

export const search = icon("M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.6 10.6 14 14");
export const pause = icon("M4.5 3h2v10h-2zM9.5 3h2v10h-2z");
export const play = icon("M4.5 3v10l8-5z");
export const sun = icon("M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M3 13l1.1-1.1M11.9 4.1 13 3");
export const moon = icon("M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z");
export const help = icon("M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6.2 6.2a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.7-.9 1.4M8 11.4v.2");
export const up = icon("M3.5 10 8 5.5l4.5 4.5");
export const down = icon("M3.5 6 8 10.5 12.5 6");
export const close = icon("m3.5 3.5 9 9M12.5 3.5l-9 9");
export const arrowUp = icon("M8 13V3M3.5 7.5 8 3l4.5 4.5");
export const back = icon("M10 3.5 5.5 8l4.5 4.5");
export const copy = icon("M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3");
export const plus = icon("M8 3v10M3 8h10");
export const minus = icon("M3 8h10");
export const clear = icon("M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM3.4 3.4l9.2 9.2");
export const browser = icon("M2 3h12v10H2zM2 6h12M4 4.5h.1M5.8 4.5h.1");
export const table = icon("M2 3h12v10H2zM2 6.5h12M2 9.75h12M6.5 3v10");
export const mark = html`<svg class="mark" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
  <rect width="20" height="20" rx="5" /><path d="M4 11h2.6l2-5 3 8.5 2-5.5H16" />
</svg>`;
