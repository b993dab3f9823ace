// Keys: / searches, ? shows the sheet, j k x s Enter and arrows walk tables, [ ] turn pages,
// g + letter goes to a section. The sheet in templates/components/shortcut_sheet.html lists them.
(() => {
  const GO = { e: "experiments", r: "runs", p: "pipelines", c: "compute", m: "monitor", v: "views" };
  const PAGE_KEYS = new Set(["PageDown", "PageUp", "Home", "End", "ArrowDown", "ArrowUp"]);
  const G_MS = 1200;
  let waitingForG = 0;
  // The run that the person is at, and whether the focus is there: both outlive a swap of the table.
  let at = "";
  let leaves = null;

  function isTyping(target) {
    return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, [popover]");
  }

  function rows() {
    return [...document.querySelectorAll("[data-rows] tbody > tr")];
  }

  function here() {
    return document.querySelector("[data-rows] tr.at");
  }

  function linkOf(row) {
    return row?.querySelector("[data-row-link]") ?? row?.querySelector("a");
  }

  function mark(row) {
    here()?.classList.remove("at");
    row?.classList.add("at");
    at = row?.id ?? "";
  }

  function inside(row) {
    return [...row.querySelectorAll("a[href], button, input:not([type=hidden])")];
  }

  function goTo(row) {
    mark(row);
    linkOf(row)?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function moveBy(step) {
    const all = rows();
    if (!all.length) return;
    const from = all.indexOf(here());
    goTo(all[Math.min(all.length - 1, Math.max(0, from + step))]);
  }

  function press(selector, root = document) {
    const found = [...(root?.querySelectorAll(selector) ?? [])].find((one) => one.checkVisibility());
    found?.click();
    return Boolean(found);
  }

  // In the tree: right opens a run's child runs, left closes them, or goes up to the run they are of.
  function toChildren(isOpening) {
    const row = here();
    const expander = row?.querySelector(".expander");
    // The deepest rows of a tree have a link instead, to a page of their child runs.
    const isLink = expander && !expander.hasAttribute("aria-expanded");
    if (isOpening && isLink) return press(".expander", row);
    const wanted = isOpening ? "false" : "true";
    if (expander?.getAttribute("aria-expanded") === wanted) return press(".expander", row);
    if (isOpening || !row?.matches(".child")) return false;
    const all = rows();
    const depth = depthOf(row);
    const parent = all.slice(0, all.indexOf(row)).findLast((one) => depthOf(one) < depth);
    if (parent) goTo(parent);
    return Boolean(parent);
  }

  function depthOf(row) {
    return Number(/\bdepth-(\d+)/.exec(row.className)?.[1] ?? 0);
  }

  // The document itself does not scroll, its main part does: the keys for it must still work.
  function scroll(key) {
    const main = document.getElementById("main");
    const by = { PageDown: main.clientHeight * 0.9, ArrowDown: 40, ArrowUp: -40 };
    by.PageUp = -by.PageDown;
    by.Home = -main.scrollHeight;
    by.End = main.scrollHeight;
    main.scrollBy({ top: by[key] });
  }

  const KEYS = {
    "/": () => (document.querySelector("[data-list-search]") ?? document.querySelector("[data-search]"))?.select(),
    "?": () => document.getElementById("shortcut-sheet")?.togglePopover(),
    j: () => moveBy(1),
    k: () => moveBy(-1),
    x: () => press("[data-tick]", here()),
    s: () => press(".c-star button, .c-star a", here()),
    o: () => toChildren(here()?.querySelector(".expander")?.getAttribute("aria-expanded") !== "true"),
    "[": () => press(".pagination [rel=prev]"),
    "]": () => press(".pagination [rel=next]"),
    f: () => press("[data-key-filter], #runs-filter_button"),
    c: () => press("[data-key-columns]"),
    g: () => { waitingForG = Date.now(); },
  };

  function onArrow(event) {
    const isInTable = event.target.closest("[data-rows] tbody > tr") && !event.shiftKey;
    if (isInTable && toChildren(event.key === "ArrowRight")) event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    // Out of the search box, so that the next key walks the table; open suggestions close first.
    if (event.key === "Escape" && !event.defaultPrevented && event.target.matches?.("[data-list-search], [data-search]")) {
      event.target.blur();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (Date.now() - waitingForG < G_MS && GO[event.key]) {
      waitingForG = 0;
      event.preventDefault();
      document.querySelector(`[data-go="${GO[event.key]}"]`)?.click();
    } else if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      onArrow(event);
    } else if (event.key === "Enter" && event.target === document.body) {
      linkOf(here())?.click();
    } else if (PAGE_KEYS.has(event.key) && event.target === document.body) {
      scroll(event.key);
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-rows] tbody > tr");
    if (row && !row.classList.contains("at")) mark(row);
  });

  // A swap takes the rows away: what was marked is marked again, and a focus that was in the table
  // stays at its run, or comes to the first row of another page.
  document.addEventListener("htmx:beforeSwap", () => {
    const element = document.activeElement;
    // Of two swaps at once the first took the focus away.
    if (leaves && element === document.body) return;
    const row = element?.closest("[data-rows] tbody > tr");
    const rel = element?.closest(".pagination a")?.rel ?? "";
    leaves = row || rel ? { element, rel, row: row?.id, place: row ? inside(row).indexOf(element) : 0 } : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const marked = at && document.getElementById(at);
    if (marked && marked !== here()) mark(marked);
    const left = leaves;
    leaves = null;
    if (!left || left.element.isConnected || document.activeElement !== document.body) return;
    const row = left.row && document.getElementById(left.row);
    if (row) (inside(row)[left.place] ?? linkOf(row))?.focus({ preventScroll: true });
    else if (left.rel) document.querySelector(`.pagination [rel=${left.rel}]`)?.focus({ preventScroll: true });
    else if (rows().length) goTo(rows()[0]);
  });
})();
