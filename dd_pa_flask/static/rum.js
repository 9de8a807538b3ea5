// Starts Datadog's browser SDK with what the server put into the page: its settings, and who is logged in.
// `window.DD_PA_RUM_OPTIONS` adds what JSON cannot hold, such as `beforeSend`.
"use strict";
(() => {
  const sdk = window.DD_RUM;
  const data = document.getElementById("dd-pa-rum");
  if (!sdk || !data) return; // a blocker took the SDK away
  const { init, user, account } = JSON.parse(data.textContent);
  // Nobody is logged in: forget who was, where storeContextsAcrossPages kept them. Accounts came with SDK 6.4.
  if (user) sdk.setUser(user);
  else sdk.clearUser();
  if (account) sdk.setAccount?.(account);
  else sdk.clearAccount?.();
  sdk.init({ ...init, ...window.DD_PA_RUM_OPTIONS });
})();
