/* At the door: what was typed into a form that led here is marked, so that console.js puts it there again afterwards,
   also for whoever goes on to a provider and comes back from another site. */
"use strict";
(() => {
  const kept = JSON.parse(sessionStorage.getItem("interlock.typed") || "null");
  if (kept) sessionStorage.setItem("interlock.typed", JSON.stringify({ ...kept, door: true }));
})();
