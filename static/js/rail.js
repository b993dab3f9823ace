// The rail: collapses to icons (a cookie, so the server draws the next page alike); on the phone a
// drawer that Escape, a click outside or the cross closes.
(() => {
  const root = document.documentElement;
  const rail = document.getElementById("rail");
  if (!rail) return;
  const opener = document.querySelector("[data-rail-open]");
  const narrower = document.querySelector("[data-rail-narrow]");

  function setOpen(isOpen) {
    root.classList.toggle("rail-shown", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) rail.querySelector("button, a").focus();
    else opener.focus();
  }

  opener.addEventListener("click", () => setOpen(true));
  rail.querySelector("[data-rail-close]").addEventListener("click", () => setOpen(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && root.classList.contains("rail-shown")) setOpen(false);
  });
  document.addEventListener("click", (event) => {
    if (!root.classList.contains("rail-shown")) return;
    if (!event.target.closest("#rail, [data-rail-open]")) setOpen(false);
  });

  narrower.addEventListener("click", () => {
    const isNarrow = root.classList.toggle("rail-narrow");
    narrower.setAttribute("aria-expanded", String(!isNarrow));
    narrower.setAttribute("aria-label", isNarrow ? "Expand navigation" : "Collapse navigation");
    document.cookie = `studio_rail=${isNarrow ? "narrow" : "wide"};path=/;max-age=31536000;samesite=lax`;
  });
})();
