// The histogram as a table, by minute or longer; a row is a time filter for those who do not drag.
import { html } from "../vendor/vendor.js";
import { Dialog } from "../shared/dialog.js";
import { count, day, minute } from "../shared/format.js";

/** @typedef {import("./counts.js").Bar} Bar */

const MINUTE = 60_000;

/** @param {Bar[]} bars @param {number} step ms @returns {Bar[]} newest first */
function summed(bars, step) {
  /** @type {Map<number, Bar>} */
  const minutes = new Map();
  for (const { start, accepted, rejected } of bars) {
    const at = start - (start % step);
    const sum = minutes.get(at) ?? { start: at, accepted: 0, rejected: 0 };
    minutes.set(at, { start: at, accepted: sum.accepted + accepted, rejected: sum.rejected + rejected });
  }
  return [...minutes.values()].reverse();
}

/** @param {{bars: Bar[], step: number, onRange: (range: {from: number, to: number}) => void, onClose: () => void}} props */
export function CountsTable({ bars, step, onRange, onClose }) {
  /** @param {number} from */
  const choose = (from) => {
    onRange({ from, to: from + step });
    onClose();
  };
  return html`<${Dialog} title=${step === MINUTE ? "Events by minute" : "Events by time"} onClose=${onClose}>
    <table class="counts">
      <thead>
        <tr><th scope="col">${step === MINUTE ? "Minute" : "From"}</th><th scope="col">Accepted</th><th scope="col">Rejected</th></tr>
      </thead>
      <tbody>
        ${summed(bars, step).map(
          ({ start, accepted, rejected }) => html`<tr key=${start}>
            <td><button type="button" class="link" aria-label=${`Only ${day(start)}${minute(start)}`} onClick=${() => choose(start)}>${day(start)}${minute(start)}</button></td>
            <td>${count(accepted)}</td>
            <td class=${rejected ? "bad" : ""}>${count(rejected)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  <//>`;
}
