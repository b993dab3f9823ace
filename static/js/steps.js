// The graph of a pipeline: arrow keys move to the nearest step on that side; on a narrow page the
// log that a step opens comes into view.
(() => {
  const TURNS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  function middle(step) {
    const at = step.getBoundingClientRect();
    return [at.x + at.width / 2, at.y + at.height / 2];
  }

  // Sideways distance counts more: the next of a column is nearer than one of the next column.
  function distance(from, to, [right, down]) {
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const ahead = dx * right + dy * down;
    return ahead > 1 ? ahead + 3 * Math.abs(dx * down + dy * right) : Infinity;
  }

  document.addEventListener("keydown", (event) => {
    const step = event.target.closest?.("[data-step]");
    const turn = TURNS[event.key];
    if (!step || !turn || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const from = middle(step);
    let best = null;
    let nearest = Infinity;
    for (const other of document.querySelectorAll("[data-step]")) {
      const far = distance(from, middle(other), turn);
      if (far < nearest) [best, nearest] = [other, far];
    }
    best?.focus();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const log = document.getElementById("runs-step_log");
    if (event.detail.target?.id !== "runs-step_log" || !log) return;
    if (log.getBoundingClientRect().top > innerHeight - 100) log.scrollIntoView();
  });
})();
