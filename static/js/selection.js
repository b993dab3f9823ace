// Ticked rows: the bar at the bottom shows while something is ticked, the box in the header ticks
// the page, shift ticks a range. Ticks outlive a swap of the table. Forms in the bar belong to the
// tick boxes (form="…"), so without JavaScript they work too.
(() => {
  const ticked = new Set();
  let last = null;

  function boxes() {
    return [...document.querySelectorAll("[data-rows] [data-tick]")];
  }

  function announce(bar, n) {
    const words = n === 1 ? "1 selected" : `${n.toLocaleString()} selected`;
    bar.querySelector("[data-selection-count]").textContent = words;
    for (const part of bar.querySelectorAll("[data-needs]")) {
      part.disabled = n < Number(part.dataset.needs);
    }
    // Cancel says how many of the ticked it applies to.
    for (const part of bar.querySelectorAll("[data-applies-to]")) {
      const fits = boxes().filter((box) => box.checked && box.matches(part.dataset.appliesTo)).length;
      part.textContent = fits === n ? "" : ` (${fits} of ${n})`;
      part.closest("button").disabled = fits === 0;
    }
  }

  function show() {
    const all = boxes();
    for (const box of all) box.closest("tr").classList.toggle("ticked", box.checked);
    const n = all.filter((box) => box.checked).length;
    const head = document.querySelector("[data-rows] [data-tick-all]");
    if (head) {
      head.checked = n > 0 && n === all.length;
      head.indeterminate = n > 0 && n < all.length;
    }
    const bar = document.querySelector("[data-selection-bar]");
    if (!bar) return;
    bar.hidden = n === 0;
    announce(bar, n);
  }

  function set(box, isOn) {
    box.checked = isOn;
    if (isOn) ticked.add(box.value);
    else ticked.delete(box.value);
  }

  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-tick]");
    if (box) {
      const all = boxes();
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      const range = event.shiftKey && last && from >= 0 ? all.slice(from, to + 1) : [box];
      for (const one of range) set(one, box.checked);
      last = box;
      show();
    }
    const head = event.target.closest("[data-tick-all]");
    if (head) {
      for (const one of boxes()) set(one, head.checked);
      show();
    }
    if (event.target.closest("[data-untick]")) {
      for (const one of boxes()) set(one, false);
      show();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !ticked.size) return;
    if (document.querySelector(":popover-open, dialog[open]") || event.target.matches("input, textarea")) return;
    for (const one of boxes()) set(one, false);
    show();
  });

  function restore() {
    for (const box of boxes()) if (ticked.has(box.value)) box.checked = true;
    show();
  }

  document.addEventListener("htmx:load", restore);
  for (const box of boxes()) if (box.checked) ticked.add(box.value);
  show();
})();
