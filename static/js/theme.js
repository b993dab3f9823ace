// The theme button: system -> light -> dark. The choice is a cookie, so the server draws the next
// page in it and nothing flashes.
(() => {
  const THEMES = ["system", "light", "dark"];
  const root = document.documentElement;

  function current() {
    return root.dataset.theme ?? "system";
  }

  function show(theme) {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-button]")) {
      button.setAttribute("aria-label", `Theme: ${theme}. Change theme`);
      button.title = `Theme: ${theme}`;
    }
    for (const name of document.querySelectorAll("[data-theme-name]")) name.textContent = theme;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-button]")) return;
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    document.cookie = `studio_theme=${next};path=/;max-age=31536000;samesite=lax`;
    show(next);
    document.getElementById("live").textContent = `Theme: ${next}`;
    // Charts take their colours from the page and have to be drawn again.
    document.dispatchEvent(new CustomEvent("studio:theme", { detail: { theme: next } }));
  });

  show(current());
})();
