// The live log: follows the newest line until the reader scrolls up, then leaves everything where
// it is; the button follows again. While it follows, old lines leave the page.
(() => {
  const MAX_LINES = 5000;
  const NEAR_PX = 24;

  const log = () => document.querySelector("[data-log]");
  const tail = () => document.getElementById("artifacts-log_tail");
  const button = () => document.querySelector("[data-log-follow]");
  let follows = true;

  function isLive() {
    return Boolean(tail()?.hasAttribute("hx-get"));
  }

  function toEnd() {
    const box = log();
    if (box) box.scrollTop = box.scrollHeight;
  }

  function isAtEnd(box) {
    return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
  }

  function show() {
    const shown = button();
    if (!shown) return;
    shown.hidden = !isLive();
    shown.setAttribute("aria-pressed", String(follows));
  }

  // Only while following: nobody reads what leaves, and the end stays in view.
  function trim() {
    const lines = document.getElementById("log-lines");
    let n = lines.querySelectorAll(".log-line").length;
    while (n > MAX_LINES && lines.childElementCount > 1) {
      n -= lines.firstElementChild.querySelectorAll(".log-line").length;
      lines.firstElementChild.remove();
    }
  }

  document.addEventListener("scroll", (event) => {
    if (event.target !== log()) return;
    const now = isAtEnd(event.target);
    if (now !== follows) {
      follows = now;
      show();
    }
  }, true);

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-log-follow]")) return;
    follows = !follows;
    if (follows) toEnd();
    show();
  });

  // Another log took the place of the one that was shown: it is followed from the start.
  let known = log();
  document.addEventListener("htmx:afterSettle", () => {
    if (!log() || log() === known) return;
    known = log();
    follows = true;
    if (isLive()) toEnd();
    show();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!log() || !event.target.closest?.("[data-log]")) return;
    if (follows && isLive()) trim();
    if (follows && event.detail.requestConfig?.path.includes("after=")) toEnd();
    show();
  });

  // A reader far behind a chatty log: the page would grow without end, so it waits for him.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== tail() || follows) return;
    if (document.querySelectorAll("#log-lines .log-line").length > 2 * MAX_LINES) event.preventDefault();
  });

  follows = !location.search.includes("before=");
  if (follows && isLive()) toEnd();
  show();
})();
