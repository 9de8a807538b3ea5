// Starts Datadog's browser SDK with what the server put into the page: its settings, and who is logged in.
// `window.DD_PA_RUM_OPTIONS` adds what JSON cannot hold, such as `beforeSend`.
"use strict";
(() => {
  const sdk = window.DD_RUM;
  const data = document.getElementById("dd-pa-rum");
  if (!sdk || !data) return; // a blocker took the SDK away
  const { init, user, account } = JSON.parse(data.textContent);
  const options = { ...init, ...window.DD_PA_RUM_OPTIONS };
  sdk.init(options);
  // Where the SDK keeps people from page to page, it has to be told that nobody is logged in any more.
  const forget = options.storeContextsAcrossPages;
  if (user) sdk.setUser(user);
  else if (forget) sdk.clearUser();
  // Accounts came with version 6.4.
  if (account) sdk.setAccount?.(account);
  else if (forget) sdk.clearAccount?.();
})();
