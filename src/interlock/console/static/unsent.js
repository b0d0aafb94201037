/* On the page that refuses a form of an earlier session: back to where it was filled in. console.js keeps what was typed
   when a form is sent, and puts it there again. */
"use strict";
(() => {
  const kept = JSON.parse(sessionStorage.getItem("interlock.typed") || "null");
  if (kept?.at?.startsWith("/console/")) location.replace(`${kept.at}#unsent`);
})();
