// Coloured JSON. Long bodies are drawn in parts, long strings are cut: a 900 KB event opens at once.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { count } from "../shared/format.js";
import { lineOf, linesOf } from "./jsonlines.js";

/** @typedef {import("./jsonlines.js").Line} Line */

const PART = 150;
const LONGEST = 2_000;

/** @param {{text: string, kind: string}} props */
function Value({ text, kind }) {
  const [whole, setWhole] = useState(false);
  if (whole || text.length <= LONGEST) return html`<span class=${`json-${kind}`}>${text}</span>`;
  return html`<span class=${`json-${kind}`}>${text.slice(0, LONGEST)}</span
    ><button type="button" class="more" onClick=${() => setWhole(true)}>${count(text.length - LONGEST)} more characters</button>`;
}

/** @param {{line: Line, boxed: boolean}} props */
function JsonLine({ line, boxed }) {
  const content = html`${line.key !== null && html`<span class="json-key">${JSON.stringify(line.key)}</span>: `}<${Value}
      text=${line.text}
      kind=${line.kind}
    />`;
  return html`<div class="json-line" style=${{ "--depth": String(line.depth) }}>
    ${boxed ? html`<mark class="offending">${content}</mark>` : content}${line.comma && ","}
  </div>`;
}

/** @param {{value: unknown, offending: string | null}} props path of the key that is the reason of a refusal */
export function Json({ value, offending }) {
  const lines = useMemo(() => linesOf(value), [value]);
  const boxed = useMemo(() => lineOf(lines, offending), [lines, offending]);
  const [limit, setLimit] = useState(PART);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  const drawn = Math.max(limit, boxed + 20);

  useLayoutEffect(() => box.current?.querySelector(".offending")?.scrollIntoView({ block: "nearest" }), [value, boxed]);
  useEffect(() => {
    if (!end.current) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && setLimit((n) => n + PART));
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [drawn < lines.length]);

  return html`<div class="json" ref=${box}>
    ${lines.slice(0, drawn).map((line, i) => html`<${JsonLine} key=${i} line=${line} boxed=${i === boxed} />`)}
    ${drawn < lines.length &&
    html`<button type="button" class="more" ref=${end} onClick=${() => setLimit((n) => n + PART)}>
      ${count(lines.length - drawn)} more lines
    </button>`}
  </div>`;
}
