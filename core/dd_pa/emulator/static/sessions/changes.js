// Hears which sessions changed, while a view wants to know; tried again after 1, 2, 5, 5 … seconds.
import { changesAddress } from "../shared/api.js";

const waits = [1, 2, 5];

/** Calls `changed` with the ids of the sessions that changed; with null when everything may have: at first, after the
 * connection was lost, and when all was cleared.
 * @param {(ids: string[] | null) => void} changed @returns {() => void} call it to stop */
export function listenForChanges(changed) {
  let failures = 0;
  let timer = 0;
  /** @type {EventSource} */
  let source;
  const connect = () => {
    source = new EventSource(changesAddress(null));
    source.addEventListener("hello", () => {
      failures = 0;
      changed(null);
    });
    source.addEventListener("sessions", (message) => {
      const { ids } = JSON.parse(message.data);
      changed(ids.length ? ids : null);
    });
    source.addEventListener("error", () => {
      source.close();
      timer = window.setTimeout(connect, waits[Math.min(failures++, waits.length - 1)] * 1000);
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
