// The colour mark of a session, which tells it from its neighbours in every list.

/** One of 8 hues, always the same for one session (FNV-1a). @param {string} id @returns {number} */
export function hue(id) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  // The low bits of this hash depend on the low bits of the text alone.
  return ((hash >>> 16) ^ (hash >>> 3)) & 7;
}
