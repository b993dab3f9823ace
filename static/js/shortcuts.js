// Keys: / searches, ? shows the sheet, j k x Enter walk tables, g + letter goes to a section.
(() => {
  const GO = { e: "experiments", r: "runs", c: "compute" };
  const PAGE_KEYS = new Set(["PageDown", "PageUp", "Home", "End", "ArrowDown", "ArrowUp"]);
  let waitingForG = 0;

  function isTyping(target) {
    return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, [popover]");
  }

  function rows() {
    return [...document.querySelectorAll("[data-rows] tbody > tr")];
  }

  function moveBy(step) {
    const all = rows();
    if (!all.length) return;
    const from = all.findIndex((row) => row.classList.contains("at"));
    const next = all[Math.min(all.length - 1, Math.max(0, from + step))];
    if (from >= 0) all[from].classList.remove("at");
    next.classList.add("at");
    (next.querySelector("[data-row-link]") ?? next.querySelector("a")).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function tick() {
    document.querySelector("tr.at [data-tick]")?.click();
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

  function go(letter) {
    document.querySelector(`[data-go="${GO[letter]}"]`)?.click();
  }

  const KEYS = {
    "/": () => (document.querySelector("[data-list-search]") ?? document.querySelector("[data-search]"))?.select(),
    "?": () => document.getElementById("shortcut-sheet")?.togglePopover(),
    j: () => moveBy(1),
    k: () => moveBy(-1),
    x: tick,
    g: () => { waitingForG = Date.now(); },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (Date.now() - waitingForG < 1200 && GO[event.key]) {
      waitingForG = 0;
      event.preventDefault();
      go(event.key);
    } else if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    } else if (PAGE_KEYS.has(event.key) && event.target === document.body) {
      scroll(event.key);
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-rows] tbody > tr");
    if (!row || row.classList.contains("at")) return;
    document.querySelector("tr.at")?.classList.remove("at");
    row.classList.add("at");
  });
})();
