// The table of a metric grows on top while it is read: the row that is read stays where it is, and a
// table that is read at its top shows the newest.
(() => {
  let held = null; // {id, n: points so far, left, row: the first in sight, at: where it stands}

  const boxOf = (part) => part?.querySelector(".table-scroll");
  const rowsOf = (box) => [...box.querySelectorAll("tbody > tr")];
  const placeOf = (row, box) => row.getBoundingClientRect().top - box.getBoundingClientRect().top;

  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const box = target.matches?.("[data-points]") && boxOf(target);
    held = null;
    if (!box) return;
    const edge = box.querySelector("thead")?.offsetHeight ?? 0;
    const row = box.scrollTop ? rowsOf(box).findIndex((one) => placeOf(one, box) >= edge) : -1;
    const at = row < 0 ? 0 : placeOf(rowsOf(box)[row], box);
    held = { id: target.id, n: Number(target.dataset.points), left: box.scrollLeft, row, at };
  });

  document.addEventListener("htmx:afterSettle", () => {
    const part = held && document.getElementById(held.id);
    const box = boxOf(part);
    if (!box) return;
    box.scrollLeft = held.left;
    const rows = rowsOf(box);
    const row = rows[Math.min(held.row + Number(part.dataset.points) - held.n, rows.length - 1)];
    if (held.row >= 0 && row) box.scrollTop += placeOf(row, box) - held.at;
    held = null;
  });
})();
