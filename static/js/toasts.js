// Messages: close by their cross, by themselves after six seconds, twenty with an Undo (not while pointed at or focused,
// and never errors). Other files show one with document.dispatchEvent(new CustomEvent(
// "studio:toast", {detail: {text, level}})); the server with the header HX-Trigger: {"studio:toast": …}.
(() => {
  const SHOWN_MS = 6000;
  const UNDO_MS = 20000;
  const LEVELS = new Set(["success", "info", "warning", "error"]);

  function isHeld(toast) {
    return toast.matches(":hover, :focus-within");
  }

  function endLater(toast) {
    const shown = toast.querySelector("form") ? UNDO_MS : SHOWN_MS;
    setTimeout(() => (isHeld(toast) ? endLater(toast) : toast.remove()), shown);
  }

  function attach(root) {
    for (const toast of root.querySelectorAll("[data-toast-ends]:not([data-ending])")) {
      toast.dataset.ending = "";
      endLater(toast);
    }
  }

  function show({ text, level = "info" }) {
    const template = document.getElementById("toast-template");
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.classList.remove("error");
    toast.classList.add(LEVELS.has(level) ? level : "info");
    if (level !== "error") {
      toast.removeAttribute("role");
      toast.dataset.toastEnds = "";
    }
    toast.querySelector(".toast-text").textContent = text;
    const region = document.getElementById("toasts");
    const twin = [...region.children].find((other) => other.textContent === toast.textContent);
    twin?.remove();
    region.append(toast);
    attach(region);
  }

  document.addEventListener("click", (event) => {
    event.target.closest("[data-toast-close]")?.closest("[data-toast]").remove();
  });
  // A button that is disabled says why also to those who can't point at it.
  document.addEventListener("click", (event) => {
    const why = event.target.closest("[aria-disabled=true][title]");
    if (why && !event.target.closest("[data-menu]")) show({ text: why.title });
  });
  // What is being taken back offers it no more.
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) event.detail.elt.closest?.("[data-toast]")?.remove();
  });
  document.addEventListener("studio:toast", (event) => show(event.detail));
  document.addEventListener("htmx:load", () => attach(document));
  attach(document);
})();
