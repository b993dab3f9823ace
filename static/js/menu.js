// What native popovers and dialogs leave open: a place beside the button where the browser has no
// anchors, arrow keys in menus, focus kept inside, dialogs opened by data-opens, copy buttons.
(() => {
  const HAS_ANCHORS = CSS.supports("position-area", "block-end");
  const FOCUSABLE = "a[href], button:not(:disabled), input:not([type=hidden]), select, textarea, [tabindex='0']";

  function inside(panel) {
    return [...panel.querySelectorAll(FOCUSABLE)].filter((item) => item.checkVisibility());
  }

  function place(panel) {
    const button = document.querySelector(`[popovertarget="${CSS.escape(panel.id)}"]`);
    if (HAS_ANCHORS || !button || panel.classList.contains("sheet")) return;
    const at = button.getBoundingClientRect();
    const isEnd = panel.classList.contains("align-end");
    const left = isEnd ? at.right - panel.offsetWidth : at.left;
    panel.style.left = `${Math.max(8, Math.min(left, innerWidth - panel.offsetWidth - 8))}px`;
    const below = at.bottom + panel.offsetHeight < innerHeight;
    panel.style.top = `${below ? at.bottom : Math.max(8, at.top - panel.offsetHeight - 8)}px`;
  }

  function step(panel, by) {
    const items = inside(panel);
    const from = items.indexOf(document.activeElement);
    items[(from + by + items.length) % items.length]?.focus();
  }

  document.addEventListener("toggle", (event) => {
    const panel = event.target;
    if (!panel.matches?.("[data-menu]")) return;
    const isOpen = event.newState === "open";
    const button = document.querySelector(`[popovertarget="${CSS.escape(panel.id)}"]`);
    button?.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    place(panel);
    const first = panel.querySelector("[autofocus]") ?? inside(panel)[0];
    first?.focus();
    // What is typed over a name replaces it.
    if (first?.matches("input:not([type])") && first.value === first.defaultValue) first.select();
  }, true);

  // A form in a panel goes with its answer: the focus returns to the button that opened it, else to
  // something harmless beside it.
  let sentFrom = "";
  document.addEventListener("htmx:beforeRequest", (event) => {
    const panel = event.detail.elt.closest?.("[data-menu]:popover-open");
    if (panel) sentFrom = panel.id;
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!sentFrom || document.activeElement !== document.body) return;
    const places = [`[popovertarget="${CSS.escape(sentFrom)}"]`, ".page-actions a"];
    sentFrom = "";
    const found = places.flatMap((place) => [...document.querySelectorAll(place)]);
    found.find((one) => one.checkVisibility() && !one.closest("[popover]"))?.focus();
  });

  document.addEventListener("keydown", (event) => {
    const panel = event.target.closest("[data-menu]:popover-open");
    if (!panel) return;
    const isMenu = panel.matches("[role=menu]");
    const by = { ArrowDown: isMenu && 1, ArrowUp: isMenu && -1, Tab: event.shiftKey ? -1 : 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(panel, by);
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      opener.closest("[popover]")?.hidePopover();
      const panel = document.getElementById(opener.dataset.opens);
      if (panel?.matches("dialog")) panel.showModal();
      else panel?.showPopover();
    }
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
    // A click on the backdrop hits the dialog itself.
    if (event.target.matches("dialog.dialog")) event.target.close();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-of]");
    if (!button) return;
    // A long text stands on the page once: the button names the element.
    const text = button.dataset.copy ?? document.getElementById(button.dataset.copyOf).textContent;
    let told = { text: "Copied", level: "success" };
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      told = { text: "The browser lets only https pages copy. Select the text and copy it.", level: "error" };
    }
    document.dispatchEvent(new CustomEvent("studio:toast", { detail: told }));
  });
})();
