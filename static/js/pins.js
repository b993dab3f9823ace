// The pinned views in the sidebar: their order by drag, and by Alt with the arrow keys; kept at once.
(() => {
  const list = () => document.querySelector("[data-pins]");
  let dragged = null;

  function keep() {
    const form = new FormData();
    for (const item of list().children) form.append("view", item.dataset.pin);
    const headers = { ...JSON.parse(document.body.getAttribute("hx-headers") ?? "{}"), "HX-Request": "true" };
    fetch(list().dataset.orderUrl, { method: "POST", body: form, headers }).then((answer) => {
      if (!answer.ok) throw new Error(`answer ${answer.status}`);
    }).catch((error) => {
      const detail = { text: `The order of the pins was not kept (${error.message}).`, level: "error" };
      document.dispatchEvent(new CustomEvent("studio:toast", { detail }));
    });
  }

  function say(item) {
    const items = [...list().children];
    const place = `${items.indexOf(item) + 1} of ${items.length}`;
    document.querySelector("[data-pins-said]").textContent = `${item.dataset.label}: ${place}`;
  }

  document.addEventListener("keydown", (event) => {
    const item = event.altKey && event.target.closest("[data-pin]");
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!item || !by) return;
    event.preventDefault();
    const other = by < 0 ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    const focused = document.activeElement;
    if (by < 0) other.before(item);
    else other.after(item);
    focused.focus({ preventScroll: true });
    say(item);
    keep();
  });

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-pin]");
    dragged?.classList.add("dragged");
  });

  document.addEventListener("dragover", (event) => {
    const over = dragged && event.target.closest?.("[data-pin]");
    if (!over) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    if (over === dragged) return;
    if (event.clientY < box.top + box.height / 2) over.before(dragged);
    else over.after(dragged);
  });

  document.addEventListener("drop", (event) => {
    if (dragged) event.preventDefault();
  });

  document.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("dragged");
    say(dragged);
    dragged = null;
    keep();
  });
})();
