/* Live pages. One stream of server-sent events a page. Its messages name topics and nothing else; the parts that care are
   asked for again, each page a little later than its neighbours. A hidden page gives its stream up: a browser has six
   connections to a host. Whoever comes back, or was cut off, asks for everything anew: something may be missed.

   data-live   the topics at which parts with hx-trigger="live" are asked for again: on the part, or on body for all.
               "clock" comes every 15 s: for what nobody tells of. A page without such a part does not say that it is live.
   data-here   on body: the item that is open, so that others see who has it.
   data-lapses   until when a lease holds: that it ran out is no news of anybody's, so the page asks by itself. */
"use strict";
(() => {
  const body = document.body;
  const { tell, make, all, unsaved } = window.interlock;
  const LOST_AFTER = 40000;
  let stream = null;
  let heard = 0;
  let tries = 0;
  let retry = 0;
  let asleep = 0;
  const stateOf = () => document.getElementById("line-state");
  const topicsOf = one => (one.dataset.live || body.dataset.live || "").split(/\s+/).filter(Boolean);
  const parts = () => all('[hx-trigger~="live"]');
  const due = new Map();
  // A part for which the whole page is made anew is asked for once a second, however much happens.
  const asked = new WeakMap();
  const PAUSE = 900;
  const pauseOf = part => part.hasAttribute("hx-select") ? Math.max(0, (asked.get(part) ?? -PAUSE) + PAUSE - performance.now()) : 0;
  const refresh = (topics = null, spread = 200) => {
    for (const part of parts()) {
      if (topics && !topicsOf(part).some(one => topics.includes(one))) continue;
      if (due.has(part)) continue;
      due.set(part, setTimeout(() => { due.delete(part); asked.set(part, performance.now()); if (part.isConnected) part.dispatchEvent(new CustomEvent("live")); }, pauseOf(part) + Math.random() * spread));
    }
    document.dispatchEvent(new CustomEvent("console:news", { detail: topics }));
  };
  const showLine = () => { stateOf().hidden = !document.querySelector('#main [hx-trigger~="live"]'); };
  const setLine = state => {
    if (body.dataset.line === state) return;
    const was = body.dataset.line;
    body.dataset.line = state;
    const shown = stateOf();
    if (shown) { showLine(); shown.dataset.state = state; shown.textContent = state === "live" ? "Live" : state === "lost" ? "Not live" : "Connecting"; }
    const bar = document.getElementById("line-lost");
    if (state === "lost" && !bar) {
      const again = make("button", { type: "button", class: "small" }, "Try now");
      again.addEventListener("click", () => { tries = 0; open(); });
      document.getElementById("strip")?.after(make("div", { id: "line-lost", class: "line-lost", role: "alert" },
        "The connection is lost. What you see may be out of date, and nothing can be sent. Trying again. ", again));
    }
    if (state === "live") { bar?.remove(); if (was === "lost") tell("Connected again. The page is up to date.", { seconds: 4 }); }
  };
  const lose = () => {
    stream?.close();
    stream = null;
    setLine("lost");
    clearTimeout(retry);
    retry = setTimeout(open, Math.min(15000, 500 * 2 ** tries++) * (0.5 + Math.random() / 2));
    checkSession();
  };
  const checkSession = async () => {
    try {
      const answer = await fetch("/console/live/session", { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      const to = answer.headers.get("HX-Redirect");
      if (to) leave(to);
      return Boolean(to);
    } catch { return false; /* no connection: that is said already */ }
  };
  const leave = to => {
    clearTimeout(retry);
    if (!unsaved()) return location.assign(to);
    if (!document.getElementById("signed-out")) tell("You are signed out. Sign in in another window, then send what you entered here.", { kind: "bad", to, label: "Sign in", seconds: 0 }).id = "signed-out";
  };
  // What a page asks by itself while somebody types leads nobody away from what they typed, see refusal.py.
  document.addEventListener("htmx:before:response", event => {
    const to = event.detail.ctx.hx.redirect;
    if (!to || !unsaved()) return;
    event.preventDefault();
    leave(to);
  });
  const open = () => {
    clearTimeout(retry);
    stream?.close();
    if (document.hidden) return;
    const topics = [...new Set([...topicsOf(body), ...parts().flatMap(topicsOf)])].sort();
    if (!topics.length) return;
    const here = body.dataset.here ? `&here=${encodeURIComponent(body.dataset.here)}` : "";
    // What happened while the page was on its way is told at once; after a loss everything is asked for anyway.
    const since = tries || asleep || !body.dataset.now ? "" : `&since=${encodeURIComponent(body.dataset.now)}`;
    const mine = stream = new EventSource(`/console/live?topics=${encodeURIComponent(topics.join(" "))}${here}${since}`);
    const hear = (name, does) => mine.addEventListener(name, event => { heard = performance.now(); if (mine === stream) does?.(event); });
    hear("hello", () => {
      const stale = tries > 0 || asleep;
      tries = 0;
      asleep = 0;
      setLine("live");
      if (stale) refresh();
    });
    hear("news", event => refresh(event.data.split(" ")));
    hear("again", () => refresh());
    hear("beat");
    const reopen = () => { tries = Math.max(tries, 1); retry = setTimeout(open, 300 + Math.random() * 700); };
    hear("ended", async () => { mine.close(); if (!await checkSession()) reopen(); });
    hear("drained", () => { mine.close(); reopen(); });
    mine.addEventListener("error", () => { if (mine === stream) lose(); });
    heard = performance.now();
  };
  setInterval(() => { if (stream && performance.now() - heard > LOST_AFTER) lose(); }, 5000);
  setInterval(() => { if (stream && !document.hidden) refresh(["clock"]); }, 15000);
  const ahead = body.dataset.now ? Date.parse(body.dataset.now) - Date.now() : 0;
  setInterval(() => {
    const over = all("[data-lapses]").filter(one => Date.parse(one.dataset.lapses) < Date.now() + ahead - 500);
    for (const one of over) delete one.dataset.lapses;
    if (over.length) refresh(["reviews"]);
  }, 1000);
  addEventListener("offline", lose);
  addEventListener("online", () => { tries = 1; open(); });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { if (!stream || stream.readyState === 2) open(); return; }
    setTimeout(() => { if (document.hidden && stream) { asleep = 1; stream.close(); stream = null; } }, 10000);
  });
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", event => { if (event.persisted) { asleep = 1; open(); } });

  document.addEventListener("console:arrived", () => { showLine(); open(); });
  window.interlock.refresh = refresh;
  open();
})();
