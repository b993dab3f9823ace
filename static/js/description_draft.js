// The editor of a description: what is typed and not saved stays in this tab, over a reload, a lost
// session or a way back; leaving the page asks first. Saved or discarded, it is gone.
(() => {
  const form = () => document.querySelector("form[data-draft]");
  const field = () => form()?.elements.text;
  const key = () => `draft ${form().dataset.draft}`;
  let leaves = false;

  // A browser may refuse to keep anything; then leaving still asks.
  function storage(work) {
    try {
      return work(sessionStorage);
    } catch {
      return null;
    }
  }

  function forget() {
    storage((kept) => kept.removeItem(key()));
  }

  function isUnsaved() {
    return form() && ("unsaved" in form().dataset || field().value !== field().defaultValue);
  }

  function keep() {
    if (!isUnsaved()) return forget();
    const draft = { text: field().value, version: form().elements.version.value };
    storage((kept) => kept.setItem(key(), JSON.stringify(draft)));
  }

  function say(shown) {
    const note = form()?.querySelector("[data-draft-note]");
    if (note) note.hidden = !shown;
  }

  function put(text) {
    field().value = text;
    field().dispatchEvent(new InputEvent("input", { bubbles: true }));
  }

  // With the version it was typed upon: what somebody saved meanwhile is told when this is saved.
  function bringBack() {
    const draft = storage((kept) => JSON.parse(kept.getItem(key())));
    if (!draft || draft.text === field().defaultValue) return forget();
    const { version } = form().elements;
    version.dataset.stored = version.value;
    version.value = draft.version;
    put(draft.text);
    say(true);
  }

  document.addEventListener("input", (event) => event.target === field() && keep());
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-discard]")) {
      leaves = true;
      forget();
    }
    if (event.target.closest("[data-draft-drop]")) {
      const { version } = form().elements;
      version.value = version.dataset.stored;
      put(field().defaultValue);
      say(false);
      field().focus();
    }
  });
  // A refused save is drawn anew with what was typed, upon the version that is stored now.
  document.addEventListener("htmx:load", (event) => event.target === form() && keep());
  document.addEventListener("htmx:beforeOnLoad", ({ detail: { requestConfig, xhr } }) => {
    const target = xhr.getResponseHeader("HX-Redirect");
    if (requestConfig.elt !== form() || !target) return;
    leaves = true;
    // Elsewhere is the sign-in page: nothing was saved.
    if (new URL(target, location.href).pathname === form().dataset.page) forget();
  });
  addEventListener("beforeunload", (event) => {
    if (!leaves && isUnsaved()) event.preventDefault();
  });
  addEventListener("pageshow", () => (leaves = false));

  if (form()) bringBack();
})();
