// Who works by keys stays where they are when an answer replaces what has the focus: on what stands for
// it now, else on what stands in its place, else at the head of the page. What other scripts place stays.
(() => {
  const REACHED = "a[href], button:not(:disabled), input:not([type=hidden], :disabled), select:not(:disabled), textarea, summary, [tabindex='0']";
  let left = null; // {one, name, parts: [{id, at}] from the innermost}

  const isLost = () => !document.activeElement || document.activeElement === document.body;
  const nameOf = (one) => (one.getAttribute("aria-label") ?? one.textContent).trim();
  const reached = (part) => [...part.querySelectorAll(REACHED)].filter((one) => one.checkVisibility({ visibilityProperty: true }));

  function partsAbove(one) {
    const parts = [];
    for (let part = one.parentElement?.closest("[id]"); part; part = part.parentElement?.closest("[id]")) {
      parts.push({ id: part.id, at: reached(part).indexOf(one) });
    }
    return parts;
  }

  // Panels and dialogs give the focus back by themselves when they go.
  const isElsewhere = (one) => one.closest("dialog, [popover]") !== null;

  document.addEventListener("htmx:beforeSwap", () => {
    const one = document.activeElement;
    if (!isLost() && one.id !== "main" && !isElsewhere(one)) left = { one, name: nameOf(one), parts: partsAbove(one) };
  });

  function standIn({ one, name, parts }) {
    const twin = one.id && document.getElementById(one.id);
    if (twin && reached(twin.parentElement).includes(twin)) return twin;
    for (const { id, at } of parts) {
      const part = document.getElementById(id);
      const all = part ? reached(part) : [];
      if (!all.length) continue;
      const same = all.find((other) => other.tagName === one.tagName && nameOf(other) === name);
      return same ?? all[Math.min(Math.max(at, 0), all.length - 1)];
    }
    return document.getElementById("main");
  }

  // After the scripts that know better, which listen to the same.
  document.addEventListener("htmx:afterSettle", () => setTimeout(() => {
    if (!left || !isLost() || left.one.isConnected || document.querySelector("dialog[open]")) return;
    standIn(left)?.focus({ preventScroll: true });
    left = null;
  }));
})();
