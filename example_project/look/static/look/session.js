// Stands in for Datadog's browser SDK until a bundle of it is configured (see rum.html): it keeps the session cookie as SDK v7 does,
// so that what you click by hand is linked to a browser session too. It sends nothing anywhere.
"use strict";
(() => {
  const NAME = "_dd_s_v2";
  const IDLE = 15 * 60 * 1000;
  const LONGEST = 4 * 60 * 60 * 1000;
  const YEAR = 365 * 24 * 60 * 60;

  const uuid = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };

  const read = () => {
    const cookie = document.cookie.split("; ").find((pair) => pair.startsWith(`${NAME}=`));
    return cookie ? Object.fromEntries(new URLSearchParams(cookie.slice(NAME.length + 1))) : {};
  };

  const isLive = (state, now) =>
    state.id && !state.isExpired && now < Number(state.expire) && now - Number(state.created) < LONGEST;

  const write = (state) => {
    const value = Object.entries(state).map(([key, entry]) => `${key}=${entry}`).join("&");
    document.cookie = `${NAME}=${value}; Path=/; Max-Age=${YEAR}; SameSite=Strict`;
  };

  // Only a person's input (or a page load) begins a session; a visible page merely keeps one alive.
  const extend = (mayBegin) => {
    const now = Date.now();
    const state = read();
    const live = isLive(state, now);
    if (!live && !mayBegin) return;
    const session = live ? { id: state.id, created: state.created } : { id: uuid(), created: now };
    write({ aid: state.aid || uuid(), ...session, expire: now + IDLE, c: 0 });
  };

  let last = 0;
  const onInput = () => {
    if (Date.now() - last < 1000) return;
    last = Date.now();
    extend(true);
  };

  extend(true);
  for (const type of ["click", "touchstart", "keydown", "scroll"]) {
    addEventListener(type, onInput, { capture: true, passive: true });
  }
  setInterval(() => document.visibilityState === "visible" && extend(false), 60_000);
})();
