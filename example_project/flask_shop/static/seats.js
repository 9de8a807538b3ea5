// Adds a seat without leaving the page; without JavaScript the form does the same.
"use strict";
(() => {
  const form = document.getElementById("add-seat");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { csrf_token: token, label } = Object.fromEntries(new FormData(form));
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: JSON.stringify({ label }),
    }).catch(() => null);
    if (answer?.ok) {
      location.reload();
      return;
    }
    const full = answer?.status === 409;
    form.querySelector("[role=alert]").textContent = full ? "There is no free seat in your plan." : "That did not work; please try again.";
  });
})();
