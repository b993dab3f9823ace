// Dialogs that come with an answer: opened above the page, one at a time; closed, they are gone and
// the focus is back where it was, or at the button of the menu it was in.
(() => {
  let opener = null;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!document.querySelector("dialog[data-dialog][open]")) opener = event.detail.elt;
  });

  function open(dialog) {
    for (const other of document.querySelectorAll("dialog[data-dialog]")) if (other !== dialog) other.remove();
    dialog.showModal();
    // Without a field the heading is read, not the button that starts it pressed.
    if (!dialog.querySelector("[autofocus]")) dialog.querySelector("h1")?.focus();
  }

  function places() {
    const menu = opener?.closest("[popover]");
    const button = menu && document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
    const twin = opener?.id && document.getElementById(opener.id);
    return [opener, twin, button, document.querySelector("[data-list-search]"), document.getElementById("main")];
  }

  document.addEventListener("htmx:load", (event) => {
    if (event.target.matches?.("dialog[data-dialog]")) open(event.target);
  });

  document.addEventListener("close", (event) => {
    if (!event.target.matches("dialog[data-dialog]")) return;
    event.target.remove();
    const found = places().find((place) => place?.isConnected && place.checkVisibility() && !place.disabled);
    if (document.activeElement === document.body) found?.focus({ preventScroll: true });
  }, true);

  document.addEventListener("click", (event) => {
    // The link back to the list is for browsers without JavaScript.
    if (event.target.closest("dialog a[data-closes]")) event.preventDefault();
  });

  document.addEventListener("studio:bulk-started", () => {
    for (const dialog of document.querySelectorAll("dialog[data-dialog][open]")) dialog.close();
  });

  // A value that is typed is meant to be put on all.
  document.addEventListener("input", (event) => {
    const row = event.target.matches("[data-tag-value]") && event.target.closest("[data-tag-row]");
    if (row) row.querySelector("[data-tag-do]").value = "put";
  });
})();
