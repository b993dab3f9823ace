// The text beside the opened one: its end stays in view while it grows, unless the reader has scrolled up.
(() => {
  const lines = () => document.querySelector("[data-beside]");
  const toEnd = () => lines()?.scrollTo({ top: lines().scrollHeight, behavior: "instant" });
  if (lines() && "atEnd" in lines().dataset) toEnd();
  let kept = null;
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const box = lines();
    if (!detail.shouldSwap || !box || !detail.target.contains(box) || detail.target.id !== "artifacts-beside") return;
    const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    kept = { isAtEnd, top: box.scrollTop, left: box.scrollLeft, isFocused: document.activeElement === box };
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (!kept || !lines() || detail.target.id !== "artifacts-beside") return;
    if (kept.isAtEnd) toEnd();
    else lines().scrollTop = kept.top;
    lines().scrollLeft = kept.left;
    if (kept.isFocused) lines().focus({ preventScroll: true });
    kept = null;
  });
})();
