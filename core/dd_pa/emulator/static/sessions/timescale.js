// Where a moment stands on a line of some width: in proportion, but for long quiet stretches, which are all equally short.

const QUIET_MS = 45_000;
const GAP_PX = 30;

/** @typedef {{x: (at: number) => number, at: (x: number) => number, gaps: {x: number, width: number, ms: number}[]}} Scale */
/** @typedef {{start: number, end: number, x: number, width: number, quiet: boolean}} Piece */

/** @param {{at: number, end: number}[]} busy what takes time, and what does not (at = end) @returns {{start: number, end: number}[]} */
function stretches(busy) {
  /** @type {{start: number, end: number}[]} */
  const found = [];
  for (const { at, end } of [...busy].sort((one, other) => one.at - other.at)) {
    const last = found.at(-1);
    if (last && at - last.end <= QUIET_MS) last.end = Math.max(last.end, end);
    else found.push({ start: at, end });
  }
  return found;
}

/** @param {{at: number, end: number}[]} busy @param {number} width @returns {Scale} */
export function timescale(busy, width) {
  const found = stretches(busy);
  const total = found.reduce((sum, { start, end }) => sum + Math.max(1, end - start), 0);
  const gap = Math.min(GAP_PX, width / Math.max(1, 2 * found.length));
  const room = Math.max(0, width - gap * Math.max(0, found.length - 1));
  /** @type {Piece[]} */
  const pieces = [];
  let x = 0;
  found.forEach(({ start, end }, i) => {
    const part = (room * Math.max(1, end - start)) / total;
    pieces.push({ start, end, x, width: part, quiet: false });
    x += part;
    const next = found[i + 1];
    if (!next) return;
    pieces.push({ start: end, end: next.start, x, width: gap, quiet: true });
    x += gap;
  });
  /** @param {Piece | undefined} piece @param {number} at */
  const within = (piece, at) => (piece ? piece.x + (Math.min(1, Math.max(0, (at - piece.start) / Math.max(1, piece.end - piece.start)))) * piece.width : 0);
  return {
    x: (at) => within(pieces.find(({ end }) => at <= end) ?? pieces.at(-1), at),
    at: (where) => {
      const piece = pieces.find((each) => where <= each.x + each.width) ?? pieces.at(-1);
      return piece ? piece.start + ((where - piece.x) / Math.max(1, piece.width)) * (piece.end - piece.start) : 0;
    },
    gaps: pieces.filter(({ quiet }) => quiet).map(({ x: left, width: wide, start, end }) => ({ x: left, width: wide, ms: end - start })),
  };
}
