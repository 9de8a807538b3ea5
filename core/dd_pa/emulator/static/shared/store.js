// Something that changes, and those who want to know. One call per animation frame, however many changes.

export class Store {
  constructor() {
    /** @type {Set<() => unknown>} */
    this.listeners = new Set();
    this.frame = 0;
  }

  /** @param {() => unknown} listener @returns {() => void} call it to stop listening */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  changed() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      for (const listener of this.listeners) listener();
    });
  }
}
