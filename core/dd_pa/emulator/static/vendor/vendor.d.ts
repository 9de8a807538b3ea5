// Types of vendor.js; `npm run types` alone reads them, and finds preact by the paths of tsconfig.json.
export { Component, Fragment, h, render } from "preact";
export type { ComponentChildren, VNode } from "preact";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;

/** A chart on a canvas; see uPlot's documentation. */
export { default as uPlot } from "uplot";

export interface SankeyNode {
  x0?: number;
  x1?: number;
  y0?: number;
  y1?: number;
}
export interface SankeyLink<N> {
  source: N;
  target: N;
  value: number;
  width?: number;
  y0?: number;
  y1?: number;
}
export interface SankeyLayout<N, L> {
  (graph: { nodes: N[]; links: L[] }): { nodes: N[]; links: (L & SankeyLink<N>)[] };
  nodeId(id: (node: N) => string): this;
  nodeAlign(align: (node: N, columns: number) => number): this;
  nodeSort(compare: ((a: N, b: N) => number) | null | undefined): this;
  nodeWidth(width: number): this;
  nodePadding(padding: number): this;
  extent(extent: [[number, number], [number, number]]): this;
}
export function sankey<N, L>(): SankeyLayout<N, L>;
export function sankeyLinkHorizontal<L>(): (link: L) => string | null;
