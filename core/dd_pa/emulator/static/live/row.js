// One row of the list. Nothing in it can be clicked by itself: the list listens.
import { Component, html } from "../vendor/vendor.js";
import { SEQ } from "../shared/api.js";
import { isRejected, reason } from "../shared/columns.js";

/** @typedef {import("../shared/api.js").Summary} Summary */
/** @typedef {import("../shared/columns.js").Layout} Layout */
/** @typedef {import("../shared/columns.js").Column} Column */

/** Runs of cells: where a rejected event has no column for its reason, it takes the place of those that yield.
 * @param {Summary} row @param {Layout} layout @returns {{column: Column, span: number}[]} */
function cells(row, { columns, twoLines }) {
  const plain = columns.map((column) => ({ column, span: 1 }));
  if (!isRejected(row) || columns.some((column) => column.id === "attributes")) return plain;
  const giving = columns.filter((column) => column.yields || (twoLines && column.id === "session"));
  const first = columns.indexOf(giving[0]);
  const column = { id: "reason", title: "Reason", width: "", cell: reason };
  return [...plain.slice(0, first), { column, span: giving.length }, ...plain.slice(first + giving.length)];
}

/** @extends {Component<{row: Summary, layout: Layout}>} */
class Cells extends Component {
  /** @param {{row: Summary, layout: Layout}} next */
  shouldComponentUpdate(next) {
    return next.row !== this.props.row || next.layout !== this.props.layout;
  }

  render() {
    const { row, layout } = this.props;
    return cells(row, layout).map(
      ({ column, span }) => html`<span
        key=${column.id}
        class=${`cell c-${column.id}`}
        style=${span > 1 ? { gridColumn: `span ${span}` } : undefined}
        >${column.cell(row)}</span
      >`,
    );
  }
}

/** @param {{row: Summary, layout: Layout, current: boolean, fresh: boolean, position: number, total: number}} props */
export function Row({ row, layout, current, fresh, position, total }) {
  const state = `${isRejected(row) ? " rejected" : ""}${current ? " current" : ""}${fresh ? " fresh" : ""}`;
  return html`<div
    id=${`row-${row[SEQ]}`}
    class=${`row${state}`}
    role="option"
    aria-selected=${current ? "true" : "false"}
    aria-posinset=${position}
    aria-setsize=${total}
    data-seq=${row[SEQ]}
  >
    <${Cells} row=${row} layout=${layout} />
  </div>`;
}
