/* On to the next page without loading everything anew: from a row to its item, and from a verdict to the next item. The
   page is asked for as it always is, and its <main> takes the place of the one that is here; styles, scripts and the
   frame stay. The address, the way back, the focus and the title are as after a whole load. What is not alike (other
   scripts, another person, no page of ours) is loaded whole.

   a[data-open]     leads there so.   form[data-onward]    goes on so with what it is answered. */
"use strict";
(() => {
  const { all, tell, ask, unsaved, settle } = window.interlock;
  const body = document.body;
  const alike = page => page.getElementById("main")
    && String(all("script", page).map(one => one.src)) === String(all("script").map(one => one.src))
    && ["data-who", "hx-headers:inherited"].every(name => page.body.getAttribute(name) === body.getAttribute(name));
  // INVARIANT: no step takes the place of a verdict's answer: a refusal would never be seen. It waits as long as its form does.
  const waits = () => {
    const sending = document.querySelector("form[data-onward][aria-busy=true]");
    if (sending) tell("What you sent is not answered yet: wait for it, then go on.", { seconds: 5 });
    return !!sending;
  };
  const addressOf = url => url.pathname + url.search;
  let here = addressOf(location);
  let at = history.state?.at ?? 0;
  let under = null;

  // Those of a page's own, before it is shown: nothing moves afterwards.
  const dress = page => {
    const wanted = all("link[rel=stylesheet]", page.head);
    const worn = all("link[rel=stylesheet]", document.head);
    const loaded = wanted.filter(one => !worn.some(other => other.href === one.href)).map(one => new Promise(done => {
      const link = document.importNode(one);
      link.addEventListener("load", done);
      link.addEventListener("error", done);
      document.head.append(link);
    }));
    return { loaded: Promise.all(loaded), undress: () => worn.filter(one => !wanted.some(other => other.href === one.href)).forEach(one => one.remove()) };
  };
  const keepPlace = () => history.replaceState({ ...history.state, at, top: scrollY, row: document.activeElement?.closest("[data-row]")?.id }, "");
  // Where a person goes on: at what is wrong, at the row they left, or at the page's heading, which is then read out.
  const land = (main, place) => {
    const row = place?.row && document.getElementById(place.row);
    const to = main.querySelector("[data-land], [aria-invalid=true]") || row && (row.querySelector("[data-open]") || row) || main.querySelector("h1") || main;
    if (to.matches("h1")) to.tabIndex = -1;
    to.focus({ preventScroll: true });
    scrollTo(0, place?.top ?? 0);
    if (to.matches("[data-land], [aria-invalid=true]")) to.scrollIntoView({ block: "nearest" });
  };
  const show = async (page, place, enter) => {
    const { loaded, undress } = dress(page);
    await loaded;
    enter?.();
    here = addressOf(location);
    document.title = page.title;
    for (const name of ["data-live", "data-here", "data-now", "data-keys"]) {
      if (page.body.hasAttribute(name)) body.setAttribute(name, page.body.getAttribute(name)); else body.removeAttribute(name);
    }
    const main = document.adoptNode(page.getElementById("main"));
    document.getElementById("main").replaceWith(main);
    document.getElementById("nav").replaceChildren(...page.getElementById("nav").childNodes);
    document.getElementById("told").replaceChildren();
    undress();
    htmx.process(main);
    land(main, place);
    document.dispatchEvent(new CustomEvent("console:arrived"));
  };
  // The answer as a page, unless another step was begun meanwhile.
  const read = async (address, sending) => {
    under?.abort();
    const mine = under = new AbortController();
    document.getElementById("main").setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { ...sending, headers: { Accept: "text/html" }, signal: mine.signal });
      const text = await answer.text();
      return mine === under ? { answer, page: new DOMParser().parseFromString(text, "text/html") } : null;
    } catch (error) {
      if (mine.signal.aborted) return null;
      throw error;
    } finally {
      if (mine === under) { under = null; document.getElementById("main").removeAttribute("aria-busy"); }
    }
  };
  const enterAt = address => () => {
    const same = addressOf(new URL(address)) === here;
    if (!same) at += 1;
    history[same ? "replaceState" : "pushState"]({ at }, "", address);
  };

  const open = async (address, place) => {
    try {
      const found = await read(address);
      if (!found) return;
      if (!alike(found.page)) return place ? location.reload() : location.assign(address);
      if (!place) keepPlace();
      await show(found.page, place, place ? null : enterAt(found.answer.url));
    } catch { if (place) location.reload(); else location.assign(address); }
  };
  const send = async (form, by) => {
    let found;
    try {
      found = await read(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, by)) });
    } catch {
      settle(form);
      tell("No answer came. What you entered stays here; send it again: nothing is decided twice.", { kind: "bad", seconds: 10 });
      return;
    }
    if (!found) return;
    const { answer, page } = found;
    if (alike(page)) {
      keepPlace();
      return show(page, null, answer.redirected ? enterAt(answer.url) : null);
    }
    if (answer.redirected) return location.assign(answer.url);
    if (page.querySelector("script[src$='/unsent.js']")) { // of an earlier session: see there
      history.replaceState(history.state, "", "#unsent");
      return location.reload();
    }
    settle(form);
    const refused = page.querySelector(".refused");
    if (refused) document.getElementById("told").replaceChildren(document.adoptNode(refused));
    else tell("It was not done, and why is not known. What you entered stays here.", { kind: "bad", seconds: 10 });
  };

  document.addEventListener("click", event => {
    const link = event.target.closest?.("a[data-open]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || unsaved()) return;
    event.preventDefault();
    if (!waits()) open(link.href);
  });
  document.addEventListener("submit", event => {
    if (event.defaultPrevented || !event.target.matches("form[data-onward]")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  addEventListener("popstate", async event => {
    if (addressOf(location) === here) return; // a place on this page
    const to = event.state?.at ?? 0;
    const steps = to - at;
    if (steps && waits()) return history.go(-steps);
    if (steps && unsaved()) {
      // INVARIANT: what was typed is not lost unasked: the step is taken back until it is answered
      history.go(-steps);
      if (!await ask("What you entered here was not sent.", "Leave it")) return;
      all("form[data-guard]").forEach(one => one.remove());
      return history.go(steps);
    }
    at = to;
    open(location.href, event.state ?? {});
  });
})();
