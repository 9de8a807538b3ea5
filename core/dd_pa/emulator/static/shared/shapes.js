// A kind of event is a shape, a colour and a word, always the same.
import { html } from "../vendor/vendor.js";

/** @type {Record<string, string>} */
const paths = {
  page: "M2 2h8v8H2z",
  action: "M6 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8Z",
  error: "M6 1 11.4 10.4H.6Z",
  request: "M1 4.4h10v3.2H1z",
  task: "M3 1.5h6L6 6l3 4.5H3L6 6Z",
  server: "M6 .6 11.4 6 6 11.4.6 6Z",
};

/** @param {{kind: string}} props */
export const Shape = ({ kind }) => html`<svg class=${`shape k-${kind}`} viewBox="0 0 12 12" aria-hidden="true" focusable="false"><path d=${paths[kind]} /></svg>`;
