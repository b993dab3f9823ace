// When background work on runs ends, the list in sight is drawn again in its place: no scrolling,
// no new entry in the history, nothing under the fingers of somebody who types or chooses in it.
(() => {
  const LISTS = "#runs-results, [data-reloads]";
  const isReload = (event) => "X-Reload" in (event.detail.requestConfig?.headers ?? {});
  let at = 0;

  document.addEventListener("studio:runs-changed", () => {
    const list = document.querySelector(LISTS);
    const busy = list?.querySelector("input:focus:not([type=checkbox]), textarea:focus");
    if (!list || busy || document.querySelector("#main :popover-open")) return;
    // Like a search: the box that somebody may be typing in stays as it is. That it is a reload is
    // for answers.js.
    const headers = { "HX-Trigger": "runs-search", "X-Reload": "1" };
    htmx.ajax("GET", location.pathname + location.search, { target: `#${list.id}`, swap: "outerHTML", headers });
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isReload(event)) at = document.getElementById("main").scrollTop;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (isReload(event)) document.getElementById("main").scrollTop = at;
  });
})();
