// The tree of files: folders are read when they are opened, stay as they are while it is drawn anew, and
// travel with the links. Arrow keys walk it.
(() => {
  const tree = () => document.getElementById("runs-tree");
  const list = document.querySelector("[data-file-list]");
  if (!tree() || !list) return;
  if (matchMedia("(max-width: 48rem)").matches) list.open = false;

  const opened = new Set();
  const note = () => tree().querySelectorAll("details[open]").forEach((folder) => opened.add(folder.dataset.folder));
  note();
  let isTouched = new URLSearchParams(location.search).has("dir");
  let kept = null;

  const nameOf = (element) => element?.dataset.file ?? element?.parentElement?.dataset?.folder;
  const items = () => [...tree().querySelectorAll("summary, a.file-link")].filter((item) => item.offsetParent);

  // "toggle" does not bubble.
  document.addEventListener("toggle", ({ target }) => {
    if (!target.matches?.("#runs-tree details")) return;
    const folder = target.dataset.folder;
    if (target.open === opened.has(folder)) return;
    isTouched = true;
    if (target.open) opened.add(folder);
    else opened.delete(folder);
    if (target.open && "unread" in target.dataset) htmx.trigger(tree(), "folders");
  }, true);

  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.target !== tree()) return;
    // An empty one: no folder at all is open.
    detail.parameters.dir = ["", ...opened];
    if (detail.triggeringEvent?.type === "folders" || detail.elt !== tree()) delete detail.parameters.v;
  });
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!detail.shouldSwap || detail.target !== tree()) return;
    const focused = tree().contains(document.activeElement) ? nameOf(document.activeElement) : undefined;
    kept = { top: tree().scrollTop, focused };
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (!kept || detail.target.id !== "runs-tree") return;
    tree().scrollTop = kept.top;
    if (kept.focused !== undefined) items().find((item) => nameOf(item) === kept.focused)?.focus({ preventScroll: true });
    kept = null;
  });

  document.addEventListener("click", ({ target }) => {
    const link = target.closest?.("#runs-tree a.file-link");
    if (!link || !isTouched) return;
    const address = new URL(link.href);
    address.searchParams.delete("dir");
    for (const folder of opened.size ? opened : [""]) address.searchParams.append("dir", folder);
    link.href = address;
  }, true);

  document.addEventListener("keydown", (event) => {
    const item = event.target.closest?.("#runs-tree summary, #runs-tree a.file-link");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const at = all.indexOf(item);
    const folder = item.matches("summary") ? item.parentElement : null;
    const moves = {
      ArrowDown: () => all[at + 1]?.focus(),
      ArrowUp: () => all[at - 1]?.focus(),
      Home: () => all[0].focus(),
      End: () => all.at(-1).focus(),
      ArrowRight: () => (folder && !folder.open ? (folder.open = true) : all[at + 1]?.focus()),
      ArrowLeft: () => {
        if (folder?.open) folder.open = false;
        else (folder ?? item).parentElement.closest("details[data-folder]")?.querySelector("summary").focus();
      },
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  }, true);

  const front = document.querySelector(".file-tab[data-front]");
  if (front) front.parentElement.scrollLeft = front.offsetLeft - front.parentElement.clientWidth / 2;
  const current = tree().querySelector("[aria-current]");
  if (current) tree().scrollTop = current.offsetTop - tree().clientHeight / 2;
})();
