// Ticked rows: the bar at the bottom shows while something is ticked, the box in the header ticks
// the page, shift ticks a range. Ticks outlive swaps and pages and stand in the address. The boxes
// belong to the bar's form (form="…"), so without JavaScript they work too.
(() => {
  const MOST_IN_ADDRESS = 100;
  // uid -> whether the run is unfinished; null for one that this page has not shown.
  const ticked = new Map();
  let last = null;
  let list = "";
  let isAll = false;

  const boxes = () => [...document.querySelectorAll("[data-rows] [data-tick]")];
  const bar = () => document.querySelector("[data-selection-bar]");

  function set(box, isOn) {
    box.checked = isOn;
    if (isOn) ticked.set(box.value, box.matches("[data-unfinished]"));
    else ticked.delete(box.value);
  }

  function clear() {
    isAll = false;
    ticked.clear();
    for (const box of boxes()) box.checked = false;
    show();
  }

  // What the list is about; another filter makes "all that match" mean something else.
  function listNow() {
    const query = new URLSearchParams(location.search);
    return [location.pathname, ...["q", "mine", "children", "only"].map((name) => query.get(name))].join("\n");
  }

  function chosen() {
    return [...ticked.keys()].slice(0, MOST_IN_ADDRESS).join(",");
  }

  // What the server writes in addresses, so that its links and ours are the same.
  function address(path, query) {
    const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("+", "%20");
    return text ? `${path}?${text}` : path;
  }

  // A view that keeps ticked runs brings them back unless the address says there are none.
  function untick(query) {
    if (document.querySelector("[data-keeps-ticks]")) query.set("chosen", "");
    else query.delete("chosen");
    return query;
  }

  function withTicks(query) {
    if (!ticked.size) return untick(query);
    query.set("chosen", chosen());
    return query;
  }

  function mirror() {
    const query = withTicks(new URLSearchParams(location.search));
    const here = address(location.pathname, query) + location.hash;
    if (document.querySelector("#runs-bulk") && here !== location.pathname + location.search + location.hash) {
      history.replaceState(history.state, "", here);
      if (document.querySelector("[data-keeps-ticks]")) document.dispatchEvent(new CustomEvent("studio:address"));
    }
    document.dispatchEvent(new CustomEvent("studio:ticks", { detail: drawn(query) }));
  }

  // What charts draw: the ticked runs, as far as an address names them, or all that match. A list of
  // only the ticked ones matches what its address names.
  function drawn(query) {
    if (isAll && query.get("only") !== "1") return { chosen: "", n: 0 };
    return { chosen: chosen(), n: ticked.size > MOST_IN_ADDRESS ? ticked.size : 0 };
  }

  function matches(part) {
    const total = document.querySelector(part.dataset.total ?? "[data-none]")?.textContent ?? "";
    return /[\d,]+\+?/.exec(total)?.[0] ?? "";
  }

  function wordOf(n, on) {
    if (isAll) return `All ${matches(on.querySelector("[data-all-words]"))} matching selected`.replace("  ", " ");
    return n === 1 ? "1 selected" : `${n.toLocaleString("en")} selected`;
  }

  function write(part, text) {
    // A live region is read out again even when the same is written.
    if (part && part.textContent !== text) part.textContent = text;
  }

  // "Select all N matching" once the page is ticked as a whole and is not everything.
  function offerAll(on, all) {
    const label = on.querySelector("[data-select-all]");
    if (!label) return;
    const isWhole = all.length > 0 && all.every((box) => box.checked);
    label.hidden = !isAll && !(isWhole && document.querySelector(".results .pagination a"));
    label.querySelector("[data-all]").checked = isAll;
    const words = label.querySelector("[data-all-words]");
    if (words.dataset.allWords) write(words, words.dataset.allWords.replace("{n} ", matches(words) ? `${matches(words)} ` : ""));
  }

  // Cancel says how many of the ticked it applies to, as far as that was seen.
  function count(part, n) {
    const known = !isAll && ![...ticked.values()].includes(null);
    const fits = [...ticked.values()].filter(Boolean).length;
    write(part, known && fits !== n ? ` (${fits.toLocaleString("en")} of ${n.toLocaleString("en")})` : "");
    part.closest("button").disabled = known && fits === 0;
  }

  function announce(on, n, all) {
    write(on.querySelector("[data-selection-count]"), wordOf(n, on));
    for (const part of on.querySelectorAll("[data-needs]")) {
      const { needs, most = Infinity } = part.dataset;
      part.disabled = !isAll && (n < Number(needs) || n > Number(most));
    }
    for (const part of on.querySelectorAll("[data-applies-to]")) count(part, n);
    offerAll(on, all);
    const only = on.querySelector("[data-only]");
    if (only) only.hidden = isAll || n === 0 || n > MOST_IN_ADDRESS || new URLSearchParams(location.search).get("only") === "1";
    const note = on.querySelector("[data-export-note]");
    if (note) note.hidden = isAll || n <= MOST_IN_ADDRESS;
  }

  function show() {
    if (isAll && list !== listNow()) isAll = false;
    const all = boxes();
    for (const box of all) box.closest("tr").classList.toggle("ticked", box.checked);
    const here = all.filter((box) => box.checked).length;
    const head = document.querySelector("[data-rows] [data-tick-all]");
    if (head) {
      head.checked = here > 0 && here === all.length;
      head.indeterminate = here > 0 && here < all.length;
    }
    const on = bar();
    if (!on) return;
    on.dataset.ready = "";
    on.hidden = !isAll && ticked.size === 0;
    document.documentElement.classList.toggle("has-selection", !on.hidden);
    announce(on, ticked.size, all);
    mirror();
  }

  // The form says what the address says and what is ticked on other pages, at the moment it is sent.
  function prepare(on) {
    const here = new Set(boxes().map((box) => box.value));
    const query = new URLSearchParams(location.search);
    const fields = {
      "[data-bulk-list]": location.search,
      "[data-bulk-name]": query.get("q") ?? "",
      "[data-elsewhere]": [...ticked.keys()].filter((uid) => !here.has(uid)).join(","),
    };
    for (const [selector, value] of Object.entries(fields)) {
      const field = on.querySelector(selector);
      if (field) field.value = value;
    }
  }

  // A file of what the address says now, or of the ticked runs.
  function follow(link) {
    const target = new URL(link.href);
    const query = new URLSearchParams(location.search);
    for (const name of ["format", "view", "experiment", "type", "parent"]) {
      if (target.searchParams.has(name)) query.set(name, target.searchParams.get(name));
    }
    for (const name of ["after", "before"]) query.delete(name);
    if (link.dataset.export === "ticked" && !isAll) withTicks(query).set("only", "1");
    else if (query.get("only") !== "1") untick(query);
    link.href = address(target.pathname, query);
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-selection-bar] :is(button, input)")) prepare(bar());
    const file = event.target.closest("a[data-export]");
    if (file) follow(file);
    const only = event.target.closest("a[data-only]");
    if (only) {
      const query = withTicks(new URLSearchParams(location.search));
      query.set("only", "1");
      for (const name of ["after", "before"]) query.delete(name);
      only.href = address(location.pathname, query);
    }
  }, true);

  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-tick]");
    if (box) {
      const all = boxes();
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      const range = event.shiftKey && last && from >= 0 ? all.slice(from, to + 1) : [box];
      // Of "all that match" without one, what is on the page stays.
      isAll = false;
      for (const one of range) set(one, box.checked);
      last = box;
      show();
    }
    const head = event.target.closest("[data-tick-all]");
    if (head) {
      isAll = false;
      for (const one of boxes()) set(one, head.checked);
      show();
    }
    if (event.target.closest("[data-untick]")) clear();
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-all]")) return;
    isAll = event.target.checked;
    list = listNow();
    show();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(ticked.size || isAll)) return;
    if (document.querySelector(":popover-open, dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), textarea")) return;
    clear();
  });

  function restore() {
    for (const box of boxes()) {
      if (isAll && list === listNow()) set(box, true);
      else if (ticked.has(box.value)) set(box, true);
      else box.checked = false;
    }
    show();
  }

  // Links were written with the ticks of their time.
  document.addEventListener("htmx:configRequest", (event) => {
    const { detail } = event;
    const target = new URL(detail.path, location.href);
    if (detail.verb !== "get" || target.pathname !== location.pathname || !document.querySelector("#runs-bulk")) return;
    target.searchParams.delete("chosen");
    detail.path = address(target.pathname, target.searchParams);
    delete detail.parameters.chosen;
    const ticks = withTicks(new URLSearchParams()).get("chosen");
    if (ticks !== null) detail.parameters.chosen = ticks;
  });

  document.addEventListener("htmx:load", restore);
  document.addEventListener("studio:bulk-started", clear);
  for (const uid of (bar()?.querySelector("[data-elsewhere]")?.value ?? "").split(",")) if (uid) ticked.set(uid, null);
  for (const box of boxes()) if (box.checked) set(box, true);
  show();
})();
