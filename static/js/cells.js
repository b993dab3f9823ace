// The menu of a value in a table of runs: filter to it, exclude it, take it as a limit, copy it. Its
// items are buttons of the form that the values belong to, so without JavaScript a value filters by
// itself. Heads of columns sort after the others with Shift.
(() => {
  const GAP = 4;
  let opener = null;
  let pressed = null;

  function menu() {
    return document.getElementById("runs-cell_menu");
  }

  // "metric.loss>=0.3" -> "metric.loss<=0.3": the value is never one that holds the operator.
  function turned(add, operator) {
    const at = add.lastIndexOf(">=");
    return at < 0 ? "" : add.slice(0, at) + operator + add.slice(at + 2);
  }

  // Whole seconds of a duration are those that are full.
  function atMost(add, kind) {
    const most = turned(add, "<=");
    return kind === "duration" ? most.replace(/(\d+)s$/, (_, seconds) => `${Number(seconds) + 1}s`) : most;
  }

  function choices(add, kind) {
    if (kind === "text") return { include: add, exclude: `-${add}` };
    if (kind === "time") return { since: add, until: turned(add, "<=") };
    const limits = { least: add, most: atMost(add, kind) };
    if (kind === "duration") return limits;
    const exactly = turned(add, ":");
    return { include: exactly, exclude: `-${exactly}`, ...limits };
  }

  function exact(cell) {
    return cell.dataset.exact ?? (cell.title || cell.textContent.trim());
  }

  function fill(panel, cell) {
    const offered = choices(cell.value, cell.dataset.cell);
    for (const item of panel.querySelectorAll("[data-cell-item]")) {
      const name = item.dataset.cellItem;
      if (item.name === "add") item.value = offered[name] ?? "";
      item.hidden = item.name === "add" && !offered[name];
      if (name === "open") {
        item.hidden = !cell.dataset.open;
        item.href = cell.dataset.open ?? "";
      }
      if (name === "copy") item.dataset.copy = exact(cell);
    }
    panel.querySelector("[data-cell-words]").textContent = exact(cell);
  }

  function place(panel, at) {
    const below = at.bottom + GAP + panel.offsetHeight <= innerHeight;
    const left = Math.min(at.left, innerWidth - panel.offsetWidth - 2 * GAP);
    panel.style.left = `${Math.max(2 * GAP, left)}px`;
    panel.style.top = `${below ? at.bottom + GAP : Math.max(GAP, at.top - panel.offsetHeight - GAP)}px`;
  }

  function open(cell) {
    const panel = menu();
    if (!panel) return false;
    if (panel.matches(":popover-open")) panel.hidePopover();
    fill(panel, cell);
    opener = { cell, row: cell.closest("tr")?.id ?? "" };
    cell.setAttribute("aria-expanded", "true");
    panel.showPopover();
    place(panel, cell.getBoundingClientRect());
    // At once, so that a key pressed right after reaches the menu.
    panel.querySelector("[data-cell-item]:not([hidden])").focus();
    return true;
  }

  // An open menu closes by the press already: the click that follows must not open it again.
  document.addEventListener("pointerdown", (event) => {
    pressed = menu()?.matches(":popover-open") ? event.target.closest("[data-cell]") : null;
  }, true);

  document.addEventListener("click", (event) => {
    const head = event.target.closest("a.sort[data-also]");
    if (head && event.shiftKey && head.dataset.also) {
      event.preventDefault();
      event.stopPropagation();
      const target = head.getAttribute("hx-target");
      htmx.ajax("GET", head.dataset.also, { source: head, target, swap: "outerHTML" });
      return;
    }
    const cell = event.target.closest("[data-cell]");
    if (!cell || event.ctrlKey || event.metaKey) return;
    const isSame = pressed === cell && opener?.cell === cell;
    pressed = null;
    if (isSame || open(cell)) event.preventDefault();
  }, true);

  document.addEventListener("toggle", (event) => {
    if (event.target.id !== "runs-cell_menu" || event.newState === "open") return;
    opener?.cell.removeAttribute("aria-expanded");
    if (document.activeElement === document.body) opener?.cell.focus();
  }, true);

  document.addEventListener("submit", (event) => {
    if (event.target.id === "runs-cells_form") menu()?.hidePopover();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-cell-item=copy], [data-cell-item=open]")) menu()?.hidePopover();
  });

  // The table comes anew: the focus goes to the same run, else to what is first.
  document.addEventListener("htmx:afterSettle", (event) => {
    const isOurs = event.detail.requestConfig?.elt.id === "runs-cells_form";
    if (!isOurs || document.activeElement !== document.body) return;
    const row = document.getElementById(opener?.row ?? "");
    const link = (row ?? document).querySelector("[data-row-link]");
    (link ?? document.getElementById("runs-q"))?.focus({ preventScroll: true });
  });
})();
