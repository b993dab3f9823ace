// Filters: the popover beside the pill or button that asked for it, Delete on a pill, times of the
// browser's own picker in the reader's zone, and the focus, which goes back to where it was.
(() => {
  const PANEL = "runs-filter_panel";
  const GAP = 4;
  let openerId = "";
  // Where the focus goes after the list has come: a pill's id, or how many pills stand before it.
  let goesTo = null;

  const byId = (id) => document.getElementById(id);
  const popover = () => byId("runs-filter_popover");
  const pills = () => [...document.querySelectorAll("#runs-pills .pill-body")];

  function place() {
    const panel = popover();
    const at = (byId(openerId) ?? byId("runs-filter_button")).getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = panel;
    const under = at.bottom + GAP;
    const top = under + height <= innerHeight - GAP ? under : Math.max(GAP, innerHeight - height - GAP);
    panel.style.left = `${Math.max(GAP * 2, Math.min(at.left, innerWidth - width - GAP * 2))}px`;
    panel.style.top = `${top}px`;
  }

  // The picker of the browser knows no zone: what the address says in UTC is shown in the reader's.
  function toLocal(input) {
    if (!input.value || !("utc" in input.dataset)) return;
    const at = new Date(`${input.value}Z`);
    input.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }

  function prepare() {
    const panel = byId(PANEL);
    const pickers = [...panel.querySelectorAll("input[data-utc]")].filter((one) => !one.dataset.local);
    for (const picker of pickers) {
      picker.dataset.local = "1";
      toLocal(picker);
    }
    const zone = panel.querySelector("[data-zone]");
    if (zone) zone.textContent = `Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone}. One end may stay empty.`;
  }

  document.addEventListener("formdata", (event) => {
    for (const picker of event.target.querySelectorAll("input[data-utc][data-local]")) {
      const at = new Date(picker.value);
      if (picker.value && !Number.isNaN(at.valueOf())) event.formData.set(picker.name, at.toISOString().slice(0, 16));
    }
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const from = event.detail.elt;
    const opener = from.closest?.("[data-filter-opener]");
    if (opener) openerId = opener.id;
    if (popover()?.contains(from) && event.detail.target?.id === "runs-results") goesTo = openerId;
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const swapped = event.detail.target.id;
    if (popover() && (swapped === PANEL || swapped.startsWith("filter-"))) {
      prepare();
      const isFirst = !popover().matches(":popover-open");
      if (isFirst) popover().showPopover();
      place();
      if (!isFirst && document.activeElement === document.body) {
        (popover().querySelector("[autofocus]") ?? popover().querySelector("a, button, input, select"))?.focus();
      }
    }
    if (goesTo === null || swapped !== "runs-results") return;
    const last = pills().length - 1;
    const found = typeof goesTo === "string" ? byId(goesTo) : pills()[Math.min(goesTo, last)];
    goesTo = null;
    (found ?? byId("runs-filter_button"))?.focus();
  });

  document.addEventListener("keydown", (event) => {
    const pill = event.target.closest(".pill-body[data-filter-opener]");
    if (!pill || (event.key !== "Delete" && event.key !== "Backspace")) return;
    event.preventDefault();
    goesTo = pills().indexOf(pill);
    pill.parentElement.querySelector(".pill-drop").click();
  });

  addEventListener("resize", () => popover()?.matches(":popover-open") && place());
  if (byId(PANEL)) prepare();
})();
