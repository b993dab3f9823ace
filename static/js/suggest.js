// Search boxes complete what is typed: keys, operators and values of the whole workspace, from the
// server. An ARIA combobox in which nothing is chosen until an arrow chooses it, so that typing and
// Enter do what they do without it. Of a text of many lines, the end of what stands before the cursor
// is completed, where it may be a link.
(() => {
  const WAIT_MS = 120;
  const LONGEST = 4000;
  const GAP = 4;
  const panel = document.getElementById("runs-suggestions");
  if (!panel) return;
  const LINK = /(?:^|[^\w/#=&?.:@-])(?:(?:run|experiment|view|metric|log):[\w./%-]*|(?=[\w-]*\d|[0-9a-f]+$)[\w-]{4,64})$/;
  let box = null;
  let shownFor = "";
  let piece = { from: 0, text: "" };
  let timer = 0;
  let asked = null;
  // Keys pressed over a list of what was typed before: they are meant for the list on its way.
  let early = [];

  // The server counts code points, the browser halves of surrogate pairs.
  function pointsBefore(text, unit) {
    return [...text.slice(0, unit)].length;
  }

  function unitsBefore(text, point) {
    return [...text].slice(0, point).join("").length;
  }

  // What is asked about: all of a line, or of many lines what is before the cursor in its own.
  function pieceOf() {
    if (box.tagName !== "TEXTAREA") return { from: 0, text: box.value };
    const before = box.value.slice(0, box.selectionStart);
    const from = before.lastIndexOf("\n") + 1;
    const isLink = box.selectionStart === box.selectionEnd && LINK.test(before.slice(from));
    return { from, text: isLink ? before.slice(from) : "" };
  }

  function tell(isShown) {
    if (box?.getAttribute("role") === "combobox") box.setAttribute("aria-expanded", String(isShown));
    else if (box && isShown) document.getElementById("live").textContent = `${options().length} suggestions`;
  }

  function isOpen() {
    return panel.matches(":popover-open");
  }

  function options() {
    return [...panel.querySelectorAll("[role=option]")];
  }

  function chosen() {
    return panel.querySelector("[aria-selected=true]");
  }

  function choose(option) {
    chosen()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) box.setAttribute("aria-activedescendant", option.id);
    else box?.removeAttribute("aria-activedescendant");
  }

  function close() {
    early = [];
    panel.removeAttribute("aria-busy");
    clearTimeout(timer);
    asked?.abort();
    asked = null;
    if (isOpen()) panel.hidePopover();
    tell(false);
    box?.removeAttribute("aria-activedescendant");
  }

  // Where the cursor of a text stands: measured in a copy of what is before it.
  function cursor() {
    const style = getComputedStyle(box);
    const copy = document.createElement("div");
    for (const name of ["font", "padding", "border", "letterSpacing", "tabSize", "boxSizing", "lineHeight"]) copy.style[name] = style[name];
    Object.assign(copy.style, { position: "fixed", visibility: "hidden", whiteSpace: "pre-wrap", overflowWrap: "break-word" });
    copy.style.width = `${box.clientWidth}px`;
    copy.textContent = box.value.slice(0, box.selectionStart);
    const end = copy.appendChild(document.createElement("span"));
    end.textContent = "\u200b";
    document.body.append(copy);
    const top = end.offsetTop - box.scrollTop;
    const found = { left: end.offsetLeft, top, bottom: top + end.offsetHeight };
    copy.remove();
    return found;
  }

  function placeAtCursor() {
    const at = box.getBoundingClientRect();
    const { left, top, bottom } = cursor();
    panel.style.width = "auto";
    const widest = document.documentElement.clientWidth - panel.offsetWidth - GAP;
    panel.style.left = `${Math.max(GAP, Math.min(at.left + left, widest))}px`;
    const below = Math.min(at.top + Math.max(0, bottom), at.bottom) + GAP;
    const above = at.top + top - panel.offsetHeight - GAP;
    panel.style.top = `${below + panel.offsetHeight > innerHeight && above > 0 ? above : below}px`;
  }

  function place() {
    if (box.tagName === "TEXTAREA") return placeAtCursor();
    const at = box.getBoundingClientRect();
    panel.style.left = `${at.left}px`;
    panel.style.top = `${at.bottom + GAP}px`;
    panel.style.width = `${at.width}px`;
  }

  function show(html, text, asks) {
    const found = new DOMParser().parseFromString(html, "text/html").getElementById(panel.id);
    if (!found?.childElementCount || document.activeElement !== box || box.value !== text) return close();
    choose(null);
    panel.replaceChildren(...found.children);
    shownFor = text;
    piece = asks;
    panel.removeAttribute("aria-busy");
    if (!isOpen()) panel.showPopover();
    panel.scrollTop = 0;
    place();
    tell(true);
    for (const key of early.splice(0)) KEYS[key]();
  }

  // Suggestions only help: what fails shows none, and says nothing.
  async function ask() {
    asked?.abort();
    const own = new AbortController();
    asked = own;
    const text = box.value;
    const asks = pieceOf();
    const isUseless = asks.text.length > LONGEST || (!asks.text && box.tagName === "TEXTAREA");
    if (isUseless) return close();
    const at = pointsBefore(asks.text, box.selectionStart - asks.from);
    const query = new URLSearchParams({ text: asks.text, cursor: at });
    try {
      const answer = await fetch(`${box.dataset.suggests}?${query}`, {
        signal: own.signal,
        headers: { "HX-Request": "true" },
      });
      const html = answer.ok ? await answer.text() : "";
      if (asked === own) show(html, text, asks);
    } catch {
      if (asked === own) close();
    }
  }

  function askLater() {
    early = [];
    clearTimeout(timer);
    asked?.abort();
    asked = null;
    // Prose that is no link is never asked about, and its arrows are its own.
    if (box.tagName === "TEXTAREA" && !pieceOf().text) return close();
    if (isOpen()) {
      choose(null);
      panel.setAttribute("aria-busy", "true");
    }
    timer = setTimeout(ask, WAIT_MS);
  }

  // Chosen from a list of what stood before: what was typed since is replaced too, if it began the choice.
  function accept(option) {
    const text = box.value;
    const { insert } = option.dataset;
    const [start, end] = [option.dataset.start, option.dataset.end].map((at) => piece.from + unitsBefore(piece.text, Number(at)));
    const [head, tail] = [shownFor.slice(0, start), shownFor.slice(end)];
    if (!text.startsWith(head) || !text.slice(start).endsWith(tail)) return;
    const typed = text.slice(start, text.length - tail.length);
    if (text !== shownFor && !insert.toLowerCase().startsWith(typed.toLowerCase())) return;
    box.setRangeText(insert, start, text.length - tail.length, "end");
    box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
  }

  function step(by) {
    const all = options();
    const from = all.indexOf(chosen());
    // Past either end nothing is chosen: what was typed stands again.
    const next = from < 0 && by < 0 ? all.length - 1 : from + by;
    choose(all[next] ?? null);
  }

  const KEYS = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Escape: close,
    Enter: () => chosen() && accept(chosen()),
    Tab: () => chosen() && accept(chosen()),
  };

  document.addEventListener("keydown", (event) => {
    if (event.target !== box || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!isOpen()) {
      if (event.key === "ArrowDown" && box.tagName !== "TEXTAREA") {
        event.preventDefault();
        ask();
      }
      return;
    }
    const needsChoice = event.key === "Enter" || event.key === "Tab";
    const isEarly = box.value !== shownFor && event.key !== "Escape";
    if (needsChoice && (!(chosen() || early.length) || event.shiftKey)) {
      close();
    } else if (KEYS[event.key]) {
      event.preventDefault();
      if (isEarly) early.push(event.key);
      else KEYS[event.key]();
    }
  }, true);

  document.addEventListener("focusin", (event) => {
    if (!event.target.matches("[data-suggests]")) return;
    box = event.target;
    if (!box.value) askLater();
  });
  document.addEventListener("focusout", (event) => {
    if (event.target !== box) return;
    close();
    // Half a condition waits silently for its end; who leaves the box is told of it.
    document.querySelector("#runs-query_error[data-waiting]")?.removeAttribute("hidden");
  });
  document.addEventListener("input", (event) => {
    if (event.target === box && !event.isComposing) askLater();
  });
  document.addEventListener("keyup", (event) => {
    const moves = ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key);
    if (event.target === box && moves && isOpen()) askLater();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.contains(box)) close();
  });
  // A press in the list must not take the focus from the box.
  panel.addEventListener("mousedown", (event) => event.preventDefault());
  panel.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) accept(option);
  });
  panel.addEventListener("toggle", () => {
    if (!isOpen()) tell(false);
  });
  for (const moved of ["resize", "scroll"]) {
    addEventListener(moved, (event) => isOpen() && event.target !== panel && place(), true);
  }

  // A search that began by typing says where the cursor stands.
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, headers, triggeringEvent } = event.detail;
    if (triggeringEvent?.type !== "input" || !elt.contains(box)) return;
    headers["X-Typing-At"] = String(pointsBefore(box.value, box.selectionStart));
  });

  function attach() {
    for (const one of document.querySelectorAll("[data-suggests]:not([aria-autocomplete])")) {
      one.setAttribute("aria-autocomplete", "list");
      one.setAttribute("aria-haspopup", "listbox");
      // A text of many lines has no such role: it is told in words when there are suggestions.
      if (one.tagName !== "TEXTAREA") {
        one.setAttribute("role", "combobox");
        one.setAttribute("aria-expanded", "false");
      }
      one.setAttribute("aria-controls", panel.id);
    }
  }
  document.addEventListener("htmx:load", attach);
  attach();
  // A field that the page itself gave the focus to.
  if (document.activeElement?.matches("[data-suggests]")) box = document.activeElement;
})();
