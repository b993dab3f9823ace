// Values edited in their cells: Escape gives the cell back, the focus returns to the pencil, and news
// of the row waits while somebody types in it.
(() => {
  const FORM = "[data-cell-form]";
  let returnTo = "";

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    const form = event.target.closest?.(FORM);
    if (!form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    form.querySelector("[data-cell-cancel]").click();
  }, true);

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target.querySelector?.(FORM)) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const form = document.activeElement?.closest(FORM);
    if (form && event.detail.target?.matches("tr")) returnTo = form.dataset.cellForm;
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (!returnTo || document.activeElement !== document.body) return;
    document.getElementById(returnTo)?.focus({ preventScroll: true });
    returnTo = "";
  });

  document.addEventListener("htmx:load", (event) => {
    const form = event.target.matches?.(FORM) ? event.target : event.target.querySelector?.(FORM);
    const field = form?.querySelector("input[autofocus]");
    field?.focus({ preventScroll: true });
    if (field && field.value === field.defaultValue) field.select();
  });
})();
