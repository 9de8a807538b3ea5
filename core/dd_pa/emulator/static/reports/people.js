// Who is behind a number of a report: sessions with their timelines, users and accounts with their events.
import { html } from "../vendor/vendor.js";
import { session as idOf } from "../shared/columns.js";
import { clock, count, day, iso, MISSING } from "../shared/format.js";
import * as icons from "../shared/icons.js";
import { follow, sessionPath } from "../shared/links.js";
import { KeepButton } from "./audience.js";
import { Card } from "./report.js";
import { Takeaway } from "./takeaway.js";
import { term } from "./terms.js";

/** @typedef {{total: number, records: Record<string, any>[]}} Found */

/** @param {{page: import("../shared/views.js").Page, entity: string, id: string}} props */
function Link({ page, entity, id }) {
  const { router } = page;
  const isSession = entity === "@session.id";
  const q = term(entity, id);
  const go = () => router.go(isSession ? { path: sessionPath(id), q: "", more: {} } : { path: "/", source: "all", q, more: {} }, { push: true });
  const href = isSession ? sessionPath(id) : `/?source=all&q=${encodeURIComponent(q)}`;
  return html`<a href=${href} class="mono" onClick=${(/** @type {MouseEvent} */ event) => follow(event, go)}>${isSession ? idOf(id) : id}</a>`;
}

/** Those of the list as a segment. @param {string} entity @param {Record<string, any>[]} records @returns {import("./ask.js").SegmentText} */
export function segmentOf(entity, records) {
  const ids = records.map((record) => String(record[entity]));
  return entity === "@account.id" ? { account_ids: ids } : { user_ids: ids };
}

/** @param {{page: import("../shared/views.js").Page, asked: import("./ask.js").Asked<Found>, title: string, entity: string, all: () => Promise<Record<string, any>[]>, most: number, onClose: () => void}} props
 * `all` of them, at most `most`, for a segment */
export function People({ page, asked, title, entity, all, most, onClose }) {
  const { total, records } = asked.answer ?? { total: 0, records: [] };
  const others = ["@usr.id", "@account.id"].filter((facet) => facet !== entity && records.some((record) => record[facet]));
  const dated = records.some((record) => record.timestamp);
  return html`<div class="people-list">
    <div class="people-head">
      <h3>${title}</h3>
      <span class="found">${count(total)}</span><span class="spring"></span>
      <button type="button" class="icon-button" aria-label="Close the list" onClick=${onClose}>${icons.close}</button>
    </div>
    <${Card} asked=${asked} empty=${records.length === 0} nothing="Nobody." label=${title}>
      <div class="wide" tabindex="0" role="region" aria-label=${title}>
        <table class="figures-table people-table">
          <thead>
            <tr>
              <th scope="col">${entity === "@session.id" ? "Session" : entity}</th>
              ${others.map((facet) => html`<th scope="col" key=${facet}>${facet}</th>`)}
              ${dated && html`<th scope="col">Last seen <span class="faint">local time</span></th>`}
            </tr>
          </thead>
          <tbody>
            ${records.map(
              (record) => html`<tr key=${record[entity]}>
                <th scope="row"><${Link} page=${page} entity=${entity} id=${String(record[entity])} /></th>
                ${others.map((facet) => html`<td class="mono" key=${facet}>${record[facet] ?? MISSING}</td>`)}
                ${dated && html`<td title=${iso(record.timestamp)}>${day(record.timestamp)}${clock(record.timestamp)}</td>`}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
      <p class="card-foot"><span class="faint">${records.length < total && `The first ${count(records.length)} of ${count(total)}.`}</span><span class="spring"></span>${entity !== "@session.id" &&
      html`<${KeepButton} what=${async () => segmentOf(entity, await all())} note=${`It is these ${count(Math.min(total, most))}${total > most ? ` of ${count(total)}, the ones seen last` : ""}, whatever they do from now on.`} />`}<${Takeaway}
        name="people"
        rows=${() => [[entity, ...others, "last seen"], ...records.map((record) => [record[entity], ...others.map((facet) => record[facet]), record.timestamp ? iso(record.timestamp) : ""])]}
      /></p>
    <//>
  </div>`;
}
