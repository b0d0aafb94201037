/* What pages do beyond links and forms: keys, messages, guards against lost work, parts that are swapped. It stands
   beside htmx and live.js, knows nothing of any one page, and reads what it needs from attributes:

   data-key="e"           this button, link or field is what the key does; in a row it acts on the row with the focus.
                          More than one: "1 y"; with a modifier: "ctrl+enter"; in sequence: "g>q". data-says names it.
   data-list, data-row    J, K and arrows go from row to row, to what bears data-open in it.
   data-confirm           asks before its form is sent.   data-guard    a form whose entries are not lost unasked.
   data-refuses="1 2"     what stands here is said instead where such a key does nothing.
   data-sign              on a row: changes when the row has news, which is then marked.
   data-ago               on time: kept fresh.   data-do    one of DOES. */
"use strict";
(() => {
  const body = document.body;
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  // ------------------------------------------------------------- messages

  // Messages are said by screen readers: #told is a live region. Words are text, never HTML.
  const tell = (text, { kind = "", to = "", label = "", seconds = 6 } = {}) => {
    const said = make("div", { class: `toast ${kind}` }, make("p", {}, text));
    if (to) said.append(make("a", { href: to }, label || "Look"));
    const told = document.getElementById("told");
    told.append(said);
    while (told.children.length > 4) told.firstElementChild.remove();
    if (seconds) setTimeout(() => said.remove(), seconds * 1000);
    return said;
  };

  const ask = (text, yes) => new Promise(resolve => {
    const dialog = make("dialog", { "aria-labelledby": "asked" }, make("h2", { id: "asked" }, text));
    const back = make("button", { type: "button" }, "Cancel");
    const on = make("button", { type: "button", class: "primary" }, yes || "Yes, do it");
    dialog.append(make("div", { class: "actions" }, back, on));
    let answer = false;
    on.addEventListener("click", () => { answer = true; dialog.close(); });
    back.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    body.append(dialog);
    dialog.showModal();
    back.focus();
  });

  // ---------------------------------------------------------------- forms

  const dirty = new Set();
  const sure = new WeakSet();
  const isLost = () => body.dataset.line === "lost" || navigator.onLine === false;
  const settle = form => {
    form.removeAttribute("aria-busy");
    for (const one of all("button[data-sent]", form)) { one.removeAttribute("data-sent"); one.removeAttribute("aria-disabled"); }
  };

  document.addEventListener("input", event => {
    const form = event.target.closest?.("form[data-guard]");
    if (form) dirty.add(form);
    if (event.target.dataset) event.target.dataset.touched = "";
  });
  addEventListener("beforeunload", event => { if (window.interlock.unsaved()) event.preventDefault(); });
  // Before htmx and the browser: nothing is sent twice, or unasked, or into the void.
  document.addEventListener("submit", async event => {
    const form = event.target;
    const by = event.submitter;
    const stop = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    if (form.method === "dialog") return;
    const sending = form.matches("[data-onward]") && document.querySelector("form[data-onward][aria-busy=true]");
    if (sending || form.getAttribute("aria-busy") === "true") return stop();
    const changes = form.method === "post" || form.hasAttribute("hx-post");
    if (changes && isLost()) {
      stop();
      tell("Not sent: there is no connection. What you entered stays here.", { kind: "bad", seconds: 10 });
      return;
    }
    const question = by?.dataset.confirm || form.dataset.confirm;
    if (question && !sure.has(form)) {
      stop();
      if (await ask(question, by?.dataset.yes || form.dataset.yes)) {
        sure.add(form);
        form.requestSubmit(by);
      }
      return;
    }
    sure.delete(form);
    if (!changes) return;
    form.setAttribute("aria-busy", "true");
    if (form.hasAttribute("data-guard")) keepTyped(form);
    // after the form's fields are gathered: a disabled button would not be among them
    setTimeout(() => { for (const one of all("button:not([type=button])", form)) { one.dataset.sent = ""; one.setAttribute("aria-disabled", "true"); } });
    dirty.delete(form);
    setTimeout(() => settle(form), 15000);
  }, true);
  addEventListener("pageshow", () => all("form[aria-busy]").forEach(settle));
  // Where sending led to the door, since the session had ended, what was typed is there again after it: once, in this
  // tab, for the same person. Any other page forgets it.
  const TYPED = "interlock.typed";
  const entries = form => [...form.elements].filter(one => one.name && "touched" in one.dataset && !/^(hidden|password|file)$/.test(one.type));
  const keepTyped = form => {
    const fields = entries(form).map(one => [one.name, one.value, one.checked === true]);
    sessionStorage.setItem(TYPED, JSON.stringify({ at: location.pathname, form: form.id, who: body.dataset.who, fields }));
  };
  const bringTypedBack = () => {
    const kept = JSON.parse(sessionStorage.getItem(TYPED) || "null");
    sessionStorage.removeItem(TYPED);
    const form = kept && document.getElementById(kept.form);
    const unsent = location.hash === "#unsent"; // see unsent.js
    if (unsent) history.replaceState(null, "", location.pathname + location.search);
    const fromDoor = unsent || kept?.door; // see door.js
    if (!form?.matches("form[data-guard]") || !fromDoor || kept.at !== location.pathname || kept.who !== body.dataset.who) return;
    for (const [name, value, checked] of kept.fields) for (const one of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (/^(radio|checkbox)$/.test(one.type)) { if (one.value === value) one.checked = checked; } else one.value = value;
      one.dataset.touched = "";
    }
    dirty.add(form);
    tell("You are signed in again. It was not sent; what you entered is here.", { seconds: 10 });
  };
  document.addEventListener("change", event => {
    if (event.target.closest("[data-send-on-change]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-choose-all]")) {
      for (const box of all(`input[type=checkbox][name="${CSS.escape(event.target.dataset.chooseAll)}"]`)) box.checked = event.target.checked;
    }
    if (event.target.matches("input[type=checkbox]")) countChosen();
  });
  // How many are chosen, said where the page wants it, and what needs a choice offered only then.
  const countChosen = () => {
    for (const bar of all("[data-chosen-of]")) {
      const boxes = all(`input[type=checkbox][name="${CSS.escape(bar.dataset.chosenOf)}"]`);
      const chosen = boxes.filter(box => box.checked);
      for (const box of boxes) box.closest("[data-row]")?.classList.toggle("chosen", box.checked);
      bar.hidden = chosen.length === 0;
      all("[data-number]", bar).forEach(place => { place.textContent = chosen.length; });
    }
  };

  // ----------------------------------------------------------------- keys

  const SINGLE = () => body.dataset.keys !== "off";
  const typing = at => at?.isContentEditable || (at?.matches?.("input, textarea, select")
    && !at.matches("[type=checkbox], [type=radio], [type=button], [type=submit]"));
  const nameOf = event => {
    const name = event.key === " " ? "space" : event.key.toLowerCase();
    return event.ctrlKey || event.metaKey ? `ctrl+${name}` : name;
  };
  const seen = one => one.checkVisibility?.() !== false && !one.closest("[hidden]") && !one.disabled;
  // What is folded away has its key, too: that unfolds it and goes there, and sends nothing.
  const folded = one => one.closest("summary") ? null : one.closest("details:not([open])");
  const reached = one => seen(one) || !one.disabled && !!folded(one) && seen(folded(one));
  const bears = (one, name) => one.dataset.key.split(" ").includes(name);
  const rowHere = () => document.activeElement?.closest?.("[data-row]");
  const rowKeys = () => (document.querySelector("[data-row-keys]")?.dataset.rowKeys || "").split(";").filter(Boolean).map(one => one.split(":").map(part => part.trim()));
  const findKey = name => {
    const row = rowHere();
    const found = all("[data-key]").filter(one => bears(one, name) && (reached(one) || one.closest("nav")));
    return found.find(one => row?.contains(one)) || found.find(one => !one.closest("[data-row]"));
  };
  const act = one => {
    const fold = folded(one);
    if (fold) { fold.open = true; return one.focus(); }
    if (one.matches("input[type=radio]")) one.focus();
    else if (typing(one)) return one.focus();
    if (one.getAttribute("aria-disabled") !== "true") one.click();
  };
  const move = step => {
    const list = rowHere()?.closest("[data-list]") || document.querySelector("[data-list]");
    const rows = list ? all("[data-row]", list).filter(seen) : [];
    if (!rows.length) return false;
    const at = rows.indexOf(rowHere());
    const to = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
    const target = to.querySelector("[data-open]") || to;
    target.focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
    return true;
  };
  const DOES = {
    keys: () => showKeys(),
    palette: () => showPalette(),
    back: () => history.back(),
    again: () => window.interlock.refresh(),
  };
  let waiting = "";
  let waited = 0;
  // A key that was pressed on a row, for the page that it opens: within this tab, never in an address, since a link from
  // anywhere would then press a button of ours.
  const PRESSED = "interlock.pressed";
  // INVARIANT: a key that is held down, or struck again as a page comes, decides nothing of what nobody can have read
  let last = { name: "", at: 0 };
  let arrived = 0;
  const doubled = (name, event) => {
    const was = last;
    last = { name, at: event.timeStamp };
    return name === was.name && (event.repeat || was.at < arrived && event.timeStamp - arrived < 400);
  };
  for (const kind of ["input", "pointerdown"]) document.addEventListener(kind, () => { last = { name: "", at: 0 }; }, true);

  document.addEventListener("keydown", event => {
    if (event.defaultPrevented || event.isComposing || event.altKey || document.querySelector("dialog[open]")) return;
    const name = nameOf(event);
    const whole = name.startsWith("ctrl+");
    if (/^(control|shift|meta)$/i.test(event.key)) return;
    const twice = doubled(name, event);
    const rows = event.target.closest?.("[data-list]") && !event.target.matches("input[type=radio], summary");
    if (!whole && (typing(event.target) || event.repeat && !/^(j|k|arrow)/.test(name))) return;
    const done = () => event.preventDefault();
    if (twice && whole) {
      done();
      if (!event.repeat) tell("Nothing was sent: this came only now. Look at it, and press again.", { seconds: 4 });
      return;
    }
    if (name === "ctrl+k") { done(); return showPalette(); }
    if ((name === "arrowdown" || name === "arrowup") && rows) { if (move(name === "arrowdown" ? 1 : -1)) done(); return; }
    if (!whole && (!SINGLE() || name.length > 1)) return;
    const now = performance.now();
    const sequence = waiting && now - waited < 1500 ? `${waiting}>${name}` : "";
    waiting = "";
    if (sequence) {
      const leads = findKey(sequence);
      if (leads) { done(); return act(leads); }
    }
    if (name === "?") { done(); return showKeys(); }
    if (name === "/" && !findKey("/")) { done(); return showPalette(); }
    if ((name === "j" || name === "k") && move(name === "j" ? 1 : -1)) return done();
    const found = findKey(name);
    // INVARIANT: what is typed into one form never sends another
    if (found && whole && event.target.form && event.target.form !== found.form) return tell("Nothing was sent: what you are in is another form. Its own button sends it.", { seconds: 5 });
    if (found) { done(); return act(found); }
    const refuses = all("[data-refuses]").find(one => one.dataset.refuses.split(" ").includes(name) && seen(one));
    if (refuses) { done(); return tell(`Nothing was done: ${refuses.textContent.trim()}`, { kind: "warn", seconds: 6 }); }
    // a key of the item's own page, for the row with the focus: it is opened, and the key pressed there
    const opens = rowHere()?.querySelector("a[data-open]");
    if (opens && rowKeys().some(([key]) => key === name)) {
      done();
      sessionStorage.setItem(PRESSED, JSON.stringify({ at: new URL(opens.href).pathname, key: name }));
      return opens.click();
    }
    if (all("[data-key]").some(one => one.dataset.key.split(" ").some(key => key.startsWith(`${name}>`)))) {
      waiting = name;
      waited = now;
    }
  });
  document.addEventListener("click", event => {
    const one = event.target.closest("[data-do]");
    if (one) DOES[one.dataset.do]?.();
    // a busy button stays focusable, and does nothing
    if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
  }, true);

  const says = one => one.dataset.says || one.getAttribute("aria-label")
    || (one.labels?.[0]?.textContent ?? one.textContent).replace(/\s+/g, " ").trim();
  const spoken = key => key.split(">").map(one => one.split("+").map(part => part[0].toUpperCase() + part.slice(1)).join(" "));
  const showKeys = () => {
    const known = new Map();
    if (document.querySelector("[data-list]")) known.set("j", "next in the list, also the down arrow").set("k", "the one before, also the up arrow").set("enter", "open it");
    for (const one of all("[data-key]")) for (const key of one.dataset.key.split(" ")) if (!known.has(key) && (reached(one) || one.closest("nav"))) known.set(key, says(one));
    for (const [key, what] of rowKeys()) if (!known.has(key)) known.set(key, what);
    known.set("?", "these keys").set("/", "go to a page or find by id").set("ctrl+k", "the same, also while typing").set("escape", "close this");
    const list = make("dl", { class: "keys" });
    for (const [key, what] of known) {
      const names = spoken(key).flatMap((one, at) => at ? [" then ", make("kbd", {}, one)] : [make("kbd", {}, one)]);
      list.append(make("dt", {}, ...names), make("dd", {}, what));
    }
    const off = SINGLE() ? "Single keys can be switched off under your name." : "Single keys are switched off under your name; those with Ctrl work.";
    const close = make("button", { class: "primary" }, "Close");
    const dialog = make("dialog", { "aria-labelledby": "keys-of" }, make("h2", { id: "keys-of" }, "Keys on this page"), list, make("p", { class: "hint" }, off),
      make("form", { method: "dialog", class: "actions" }, close));
    dialog.addEventListener("close", () => dialog.remove());
    body.append(dialog);
    dialog.showModal();
    close.focus();
  };

  const showPalette = () => {
    if (document.querySelector("dialog[open]")) return;
    const box = make("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "places", "aria-label": "Go to a page, or find by id", placeholder: "A page, or the id of a case, decision, review …", autocomplete: "off", spellcheck: "false" });
    const list = make("ul", { id: "places", role: "listbox", "aria-label": "Where to go" });
    const dialog = make("dialog", { class: "palette", "aria-label": "Go to" }, box, list);
    const pages = all("#nav a, #main a[data-place]").map(one => ({ label: one.firstChild.textContent.trim(), to: one.getAttribute("href") }));
    let places = [];
    let at = 0;
    const draw = () => {
      const text = box.value.trim().toLowerCase();
      places = pages.filter(one => one.label.toLowerCase().includes(text));
      if (text) places.push({ label: `Find “${box.value.trim()}”`, to: `/console/cases?find=${encodeURIComponent(box.value.trim())}` });
      at = 0;
      list.replaceChildren(...places.map((one, place) => make("li", { role: "option", id: `place-${place}`, "data-to": one.to }, one.label)));
      mark();
    };
    const mark = () => {
      [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === at)));
      list.children[at]?.scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", places.length ? `place-${at}` : "");
    };
    const go = to => { dialog.close(); if (to) location.assign(to); };
    box.addEventListener("input", draw);
    box.addEventListener("keydown", event => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { event.preventDefault(); at = (at + step + places.length) % places.length; mark(); }
      if (event.key === "Enter") { event.preventDefault(); go(places[at]?.to); }
    });
    list.addEventListener("click", event => go(event.target.closest("li")?.dataset.to));
    dialog.addEventListener("close", () => dialog.remove());
    body.append(dialog);
    dialog.showModal();
    draw();
    box.focus();
  };

  // -------------------------------------------------- parts that are swapped

  // What a person has opened, chosen or typed stays when a part is morphed: the server does not know of it.
  const KEPT = { open: "DETAILS DIALOG", hidden: "", "aria-busy": "FORM", "data-touched": "INPUT TEXTAREA SELECT", "aria-disabled": "BUTTON", "data-sent": "BUTTON" };
  htmx.registerExtension("keep", {
    htmx_before_morph_attr: (one, { attrName, newValue }) => {
      if (attrName in KEPT && KEPT[attrName].includes(one.tagName) && KEPT[attrName] && (newValue === null || attrName === "open")) return false;
      if (attrName === "class" && one.matches("[data-row].chosen") && newValue !== null) { one.className = `${newValue} chosen`; return false; }
      return !("touched" in one.dataset && (attrName === "value" || attrName === "checked"));
    },
    htmx_before_morph_node: one => !(one.matches?.("textarea, select, [contenteditable]") && "touched" in one.dataset),
  });
  let before = null;
  document.addEventListener("htmx:before:swap", () => {
    const row = rowHere() || document.querySelector("[data-row]:hover");
    const rows = all("[data-row]");
    before = {
      id: row?.id, top: row?.getBoundingClientRect().top, at: row ? rows.indexOf(row) : -1, focused: !!rowHere(), focus: document.activeElement?.id,
      signs: new Map(rows.map(one => [one.id, one.dataset.sign])),
    };
  });
  document.addEventListener("htmx:after:swap", () => {
    const rows = all("[data-row]");
    // INVARIANT: what is under the focus or the pointer does not move on the screen because of news
    const same = before?.id ? document.getElementById(before.id) : null;
    if (same) scrollBy(0, same.getBoundingClientRect().top - before.top);
    if (before?.focused && !rowHere() && rows.length) {
      const next = rows[Math.min(before.at, rows.length - 1)];
      (next.querySelector("[data-open]") || next).focus({ preventScroll: true });
    }
    if (before?.signs.size) for (const row of rows) {
      if (before.signs.get(row.id) === row.dataset.sign) continue;
      row.classList.add("changed");
      setTimeout(() => row.classList.remove("changed"), 1600);
    }
    const wrong = document.querySelector("#main form [aria-invalid=true]");
    if (wrong && document.activeElement === body) wrong.focus();
    countChosen();
    freshen();
  });
  // A refusal of something that a person did is said to them; what they entered stays. 422 goes to its form.
  document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
    if (ctx.sourceEvent?.type === "live") ctx.swap = "none";
    else if (ctx.response.status !== 422) { ctx.target = document.getElementById("told"); ctx.swap = "innerHTML"; ctx.select = ".refused"; }
  });
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (ctx.sourceEvent?.type !== "live") tell("Not sent: the server could not be reached. What you entered stays here.", { kind: "bad", seconds: 10 });
  });
  document.addEventListener("htmx:finally:request", event => { const form = event.target.closest?.("form"); if (form) settle(form); });
  // What a page asks by itself keeps no session alive: see WATCHING in visit.py.
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => { if (ctx.sourceEvent?.type === "live") ctx.request.headers["X-Live"] = "yes"; });
  body.addEventListener("told", ({ detail }) => tell(String(detail?.value ?? detail?.text ?? ""), detail));

  // ----------------------------------------------------------------- times

  const skew = body.dataset.now ? Date.parse(body.dataset.now) - Date.now() : 0;
  const lasting = seconds => {
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
    return minutes ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
  };
  const freshen = () => {
    for (const one of all("time[data-ago]")) {
      const away = Math.round((Date.parse(one.dateTime) - Date.now() - skew) / 1000);
      const text = away > 0 ? `in ${lasting(away)}` : lasting(-away);
      if (one.textContent !== text) one.textContent = text;
    }
  };
  setInterval(freshen, 10000);

  window.interlock = { tell, ask, make, all, settle, unsaved: () => [...dirty].some(form => form.isConnected) };
  // A page is before somebody: loaded whole, or by onward.js.
  const arrive = () => {
    arrived = performance.now();
    all("[data-do][hidden]").forEach(one => { one.hidden = false; });
    const pressed = JSON.parse(sessionStorage.getItem(PRESSED) || "null");
    sessionStorage.removeItem(PRESSED);
    if (pressed?.at === location.pathname && SINGLE()) {
      const one = findKey(pressed.key);
      if (one) act(one);
    }
    bringTypedBack();
    countChosen();
    freshen();
  };
  document.addEventListener("console:arrived", arrive);
  arrive();
})();
