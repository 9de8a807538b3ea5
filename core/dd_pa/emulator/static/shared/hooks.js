// Hooks that tie components to stores, media queries and element sizes.
import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";

/** Draws the component again whenever the store changes.
 * @param {import("./store.js").Store} store */
export function useStore(store) {
  const [, draw] = useState(0);
  useLayoutEffect(() => store.subscribe(() => draw((n) => n + 1)), [store]);
}

/** Draws the component again when what it takes from the store is another value.
 * @template {import("./store.js").Store} S @template V @param {S} store @param {(store: S) => V} take @returns {V} */
export function useTaken(store, take) {
  const value = take(store);
  const [, draw] = useState(0);
  const before = useRef(value);
  before.current = value;
  useLayoutEffect(() => store.subscribe(() => take(store) !== before.current && draw((n) => n + 1)), [store]);
  return value;
}

/** @param {string} query @returns {boolean} */
export function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const listen = () => setMatches(media.matches);
    media.addEventListener("change", listen);
    return () => media.removeEventListener("change", listen);
  }, [query]);
  return matches;
}

/** Content size of an element, in CSS pixels; zero before the first layout.
 * @param {{current: HTMLElement | null}} ref @returns {{width: number, height: number}} */
export function useSize(ref) {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (ref.current);
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [ref]);
  return size;
}

/** The time, looked at again every few seconds. @param {number} [every] ms @returns {number} epoch ms */
export function useNow(every = 5_000) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
