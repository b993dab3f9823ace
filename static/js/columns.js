// Columns and order: the edge of a head is dragged to change a column's width, pinned columns get
// their place, rows of an editor are dragged or moved by keys. The editors themselves are forms.
(() => {
  const MIN = 40;
  const MAX = 1000;
  // Pinned columns leave at least so much of the window to the others.
  const MOST_PINNED = 0.6;

  function runs() {
    return document.getElementById("runs-table");
  }

  // Widths

  function heads(table) {
    return [...table.querySelectorAll("th[data-column]")];
  }

  function colOf(head) {
    return head.closest("table").querySelectorAll("col")[head.cellIndex];
  }

  // What nobody chose stays out of the address, but for what was drawn otherwise than usual: the name
  // took what the others left.
  function widths(table) {
    const sized = heads(table).filter((head) => "sized" in colOf(head).dataset);
    return sized.map((head) => `${head.dataset.column}=${Math.round(head.offsetWidth)}`).join(",");
  }

  function show(table) {
    const address = new URL(location.href);
    const text = widths(table);
    // Said also when there are none: an open view may have some of its own.
    if (text || document.querySelector("[data-view]")) address.searchParams.set("widths", text);
    else address.searchParams.delete("widths");
    const to = address.pathname + address.search;
    const place = { target: table.dataset.target, swap: "outerHTML" };
    htmx.ajax("GET", to, place).then(() => {
      if (!location.search.includes("widths=")) history.replaceState(history.state, "", to);
    });
  }

  function freeze(table) {
    for (const head of heads(table)) {
      const col = colOf(head);
      const width = head.offsetWidth;
      if (Math.abs(Number(col.width) - width) > 1) col.dataset.sized = "";
      col.width = width;
    }
    table.classList.remove("usual");
    table.classList.add("exact");
    table.width = table.offsetWidth;
  }

  function drag(event) {
    const head = event.target.closest("th");
    const table = head.closest("table");
    const col = colOf(head);
    const from = event.clientX;
    let [before, whole, by] = [0, 0, 0];

    function move(moved) {
      if (!before) {
        freeze(table);
        [before, whole] = [head.offsetWidth, table.offsetWidth];
      }
      by = Math.min(MAX, Math.max(MIN, before + moved.clientX - from)) - before;
      col.width = before + by;
      table.width = whole + by;
      pin();
    }

    function end() {
      document.documentElement.classList.remove("resizing");
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      if (!by) return;
      col.dataset.sized = "";
      show(table);
    }

    event.preventDefault();
    document.documentElement.classList.add("resizing");
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
  }

  document.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.target.matches?.("[data-edge]")) drag(event);
    if (event.button === 0 && event.target.closest?.("[data-grip]")) reorder(event);
  });

  document.addEventListener("dblclick", (event) => {
    if (!event.target.matches?.("[data-edge]")) return;
    const head = event.target.closest("th");
    delete colOf(head).dataset.sized;
    show(head.closest("table"));
  });

  // Pins

  function pin() {
    const table = runs();
    if (!table) return;
    const cells = [...table.querySelectorAll("thead th")];
    const room = (table.closest(".table-scroll, .main")?.clientWidth ?? innerWidth) * MOST_PINNED;
    let left = cells[0].offsetWidth;
    for (let place = 1; place <= Number(table.dataset.pins) && place < cells.length; place += 1) {
      if (place > 1 && left + cells[place].offsetWidth > room) {
        table.style.removeProperty(`--pin-${place + 1}`);
        continue;
      }
      table.style.setProperty(`--pin-${place + 1}`, `${left}px`);
      cells[place].classList.add("pinned");
      left += cells[place].offsetWidth;
    }
  }

  addEventListener("resize", pin);
  document.addEventListener("htmx:load", pin);

  // Order of the rows in an editor

  function say(item) {
    const items = [...item.parentElement.children];
    const place = `${items.indexOf(item) + 1} of ${items.length}`;
    item.closest("form").querySelector("[data-said]").textContent = `${item.dataset.label}: ${place}`;
  }

  function moveBy(item, by) {
    const focused = document.activeElement;
    if (by < 0) item.previousElementSibling?.before(item);
    else item.nextElementSibling?.after(item);
    focused?.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
    say(item);
  }

  function reorder(event) {
    const item = event.target.closest("[data-item]");
    const list = item.parentElement;
    event.preventDefault();
    item.classList.add("dragged");

    function move(moved) {
      const y = moved.clientY;
      const box = list.getBoundingClientRect();
      if (y < box.top + 16) list.scrollBy(0, -12);
      if (y > box.bottom - 16) list.scrollBy(0, 12);
      const others = [...list.querySelectorAll("[data-item]")].filter((one) => one !== item);
      const below = others.find((one) => {
        const at = one.getBoundingClientRect();
        return y < at.top + at.height / 2;
      });
      if (below) below.before(item);
      else list.append(item);
    }

    function end() {
      item.classList.remove("dragged");
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      say(item);
    }

    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-item] [data-move]");
    if (!button) return;
    event.preventDefault();
    moveBy(button.closest("[data-item]"), Number(button.dataset.move));
  }, true);

  document.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const item = event.altKey && by && event.target.closest("[data-item]");
    if (!item) return;
    event.preventDefault();
    moveBy(item, by);
  });

  // The dialog has led to another list: it goes, and that list comes.
  document.addEventListener("studio:view-applied", (event) => {
    for (const dialog of document.querySelectorAll("dialog[data-dialog][open]")) dialog.close();
    const target = document.getElementById("runs-results") ? "#runs-results" : "#compare-charts";
    htmx.ajax("GET", event.detail.url, { target, swap: "outerHTML" });
  });

  // What is drawn anew stays where it was scrolled to.
  const scrolled = new Map();
  document.addEventListener("htmx:beforeSwap", () => {
    for (const box of document.querySelectorAll("[data-keep-scroll][id]")) scrolled.set(box.id, box.scrollTop);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, top] of scrolled) document.getElementById(id)?.scrollTo(0, top);
    scrolled.clear();
  });

  pin();
})();
