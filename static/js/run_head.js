// The head of a run: what changed in it is told once to who cannot see it.
(() => {
  let said = document.getElementById("runs-header")?.dataset.said ?? "";

  document.addEventListener("htmx:load", () => {
    const words = document.getElementById("runs-header")?.dataset.said ?? "";
    if (words === said) return;
    said = words;
    document.getElementById("live").textContent = words;
  });
})();
