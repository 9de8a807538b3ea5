// When an event is shown as late.

const LATE_MS = 5_000;

/** @param {number | null} delay ms from the happening to the arrival @returns {boolean} */
export const isLate = (delay) => (delay ?? 0) > LATE_MS;
