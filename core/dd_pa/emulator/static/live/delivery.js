// How an event came here: when, how late, with which headers, and what was answered.
import { html } from "../vendor/vendor.js";
import { duration, iso, MISSING, size, time } from "../shared/format.js";
import { CopyButton } from "../shared/clipboard.js";

/** @typedef {import("../shared/api.js").Detail} Detail */

/** @param {number | null} ms */
const moment = (ms) => (ms === null ? MISSING : html`${time(ms)} <span class="faint">${iso(ms)}</span>`);

/** @param {{title: string, headers: import("../shared/api.js").Headers}} props */
function HeaderTable({ title, headers }) {
  return html`<table class="headers">
    <caption>${title}</caption>
    <tbody>
      ${headers.map(([name, value], i) => html`<tr key=${i}><th scope="row">${name}</th><td>${value}</td></tr>`)}
    </tbody>
  </table>`;
}

/** @param {{seqs: number[], onOpen: (seq: number) => void}} props */
function Duplicates({ seqs, onOpen }) {
  return html`<p class="duplicate" role="note">
    <b>Same event id as</b>${seqs.map((seq) => html`<button type="button" class="link" key=${seq} onClick=${() => onOpen(seq)}>event ${seq}</button>`)}
    <span>Sent more than once: Datadog would count it each time.</span>
  </p>`;
}

/** @param {{detail: Detail}} props */
const Former = ({ detail }) => html`<div class="delivery">
  <p class="quiet">This event is read from disk: what its request and answer looked like was not kept.</p>
  <dl class="pairs">
    <dt>Its time</dt>
    <dd>${moment(detail.received_ms)}</dd>
    <dt>Event id</dt>
    <dd>${detail.event_id === null ? MISSING : html`${detail.event_id} <${CopyButton} text=${detail.event_id} label="Copy event id" />`}</dd>
    <dt>Size</dt>
    <dd>${size(detail.size)}</dd>
  </dl>
</div>`;

/** @param {{detail: Detail, onOpen: (seq: number) => void}} props */
export function Delivery({ detail, onOpen }) {
  const { request, response } = detail;
  if (detail.seq < 0) return html`<${Former} detail=${detail} />`;
  return html`<div class="delivery">
    ${detail.duplicates.length > 0 && html`<${Duplicates} seqs=${detail.duplicates} onOpen=${onOpen} />`}
    <dl class="pairs">
      <dt>Occurred</dt>
      <dd>${moment(detail.occurred_ms)}</dd>
      <dt>Received</dt>
      <dd>${moment(detail.received_ms)}</dd>
      <dt>Delay</dt>
      <dd>${duration(detail.delay_ms)}</dd>
      <dt>Event id</dt>
      <dd>${detail.event_id === null ? MISSING : html`${detail.event_id} <${CopyButton} text=${detail.event_id} label="Copy event id" />`}</dd>
      <dt>Size</dt>
      <dd>${size(detail.size)}${request.encoding && html` <span class="faint">sent as ${request.encoding}</span>`}</dd>
      <dt>Number</dt>
      <dd>${detail.seq} <span class="faint">since the emulator was started</span></dd>
    </dl>
    <${HeaderTable} title="Request headers" headers=${request.headers} />
    ${response === null && html`<p class="quiet">No response: the connection was closed.</p>`}
    ${response && html`<${HeaderTable} title=${`Response ${response.status}`} headers=${response.headers} />`}
    ${response && html`<div><h3>Response body</h3><pre class="code">${response.body || "(empty)"}</pre></div>`}
  </div>`;
}
