// The flow itself: d3-sankey works out where everything is, plain SVG shows it, with text that is text.
import { html, sankey, sankeyLinkHorizontal, useMemo, useRef, useState } from "../vendor/vendor.js";
import { count } from "../shared/format.js";
import { useSize } from "../shared/hooks.js";

/** @typedef {import("./paths.js").Graph} Graph */
/** @typedef {import("./paths.js").FlowNode} FlowNode */
/** @typedef {import("./paths.js").FlowLink} FlowLink */
/** @typedef {FlowNode & import("../vendor/vendor.js").SankeyNode} Placed */

const COLUMN = 200;
const LABEL = 150;
const ROW = 58;

/** @param {Graph} graph @param {number} width @param {number} height */
function placed({ nodes, links }, width, height) {
  const columns = Math.max(...nodes.map((node) => node.column));
  const layout = /** @type {import("../vendor/vendor.js").SankeyLayout<Placed, FlowLink>} */ (sankey())
    .nodeId((node) => node.id)
    // The column is known; d3 would pull those who left to the end.
    .nodeAlign((node) => Math.min(node.column, columns))
    .nodeSort((a, b) => Number(a.kind === "dropoff") - Number(b.kind === "dropoff") || b.value - a.value)
    .nodeWidth(10)
    .nodePadding(32)
    .extent([
      [1, 4],
      // Below the last node its number needs room, however small the node is.
      [width - LABEL, height - 20],
    ]);
  const known = new Set(nodes.map((node) => node.id));
  return layout({
    nodes: nodes.map((node) => ({ ...node })),
    links: links.filter((link) => known.has(link.source) && known.has(link.target) && link.value > 0).map((link) => ({ ...link })),
  });
}

const curve = sankeyLinkHorizontal();

/** @param {string} name @param {number} most @returns {string} */
const cut = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

/** @param {{graph: Graph, kind: string, onOpen: (node: FlowNode) => void}} props */
export function Flow({ graph, kind, onOpen }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { width: room } = useSize(box);
  const [over, setOver] = useState(/** @type {string | null} */ (null));
  const columns = Math.max(1, ...graph.nodes.map((node) => node.column)) + 1;
  const width = Math.max(room, columns * COLUMN);
  const tallest = Math.max(...Array.from({ length: columns }, (_, n) => graph.nodes.filter((node) => node.column === n).length));
  const height = Math.max(280, Math.min(760, tallest * ROW));
  const { nodes, links } = useMemo(() => placed(graph, width, height), [graph, width, height]);
  const letters = Math.floor((Math.min(width / columns, 260) - 30) / 7.3);
  return html`<div class="wide flow" ref=${box} tabindex="0" role="region" aria-label="Paths">
    ${room > 0 &&
    html`<svg width=${width} height=${height} class=${over ? "traced" : ""}>
      <g class="links" aria-hidden="true">
        ${links.map((link) => {
          const source = /** @type {Placed} */ (/** @type {unknown} */ (link.source)), target = /** @type {Placed} */ (/** @type {unknown} */ (link.target));
          const mine = over === source.id || over === target.id;
          return html`<path
            key=${`${source.id} ${target.id}`}
            class=${`${target.kind === "dropoff" ? "gone" : kind}${mine ? " mine" : ""}`}
            d=${curve(link)}
            stroke-width=${Math.max(1, link.width ?? 0)}
          ><title>${`${source.name} → ${target.name}: ${count(link.value)}`}</title></path>`;
        })}
      </g>
      ${nodes.map((node) => {
        const { x0 = 0, x1 = 0, y0 = 0, y1 = 0 } = node;
        const words = `${node.name}, step ${node.column + 1}, ${count(node.value)} sessions`;
        const label = html`<rect class="bar" x=${x0} y=${y0} width=${x1 - x0} height=${Math.max(1, y1 - y0)} rx="2" />
          <text x=${x1 + 7} y=${(y0 + y1) / 2 - 3} class="name">${cut(node.name, letters)}</text>
          <text x=${x1 + 7} y=${(y0 + y1) / 2 + 12} class="value">${count(node.value)}</text>`;
        const enter = () => setOver(node.id);
        const leave = () => setOver(null);
        if (node.kind !== "regular") return html`<g key=${node.id} class="node gone" role="img" aria-label=${words} onMouseEnter=${enter} onMouseLeave=${leave}>${label}</g>`;
        return html`<a
          key=${node.id}
          class=${`node ${kind}`}
          href="/funnel"
          aria-label=${`${words}, open the funnel to here`}
          onMouseEnter=${enter}
          onMouseLeave=${leave}
          onFocus=${enter}
          onBlur=${leave}
          onClick=${(/** @type {MouseEvent} */ event) => {
            event.preventDefault();
            onOpen(node);
          }}
          ><title>${words}</title>${label}</a
        >`;
      })}
    </svg>`}
  </div>`;
}
