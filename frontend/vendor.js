// Everything third-party that the page runs. Own code imports it from static/vendor/vendor.js.
import { h } from "preact";
import htm from "htm";

export { sankey, sankeyLinkHorizontal } from "d3-sankey";
export { Component, Fragment, h, render } from "preact";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { default as uPlot } from "uplot";
export const html = htm.bind(h);
