// An open custom view, where scripts change the list without asking the server: zoomed charts and
// ticked runs stand in the address, and go from there into links, into what is saved, and into the bar
// that says what differs.
(() => {
  const HELD = ["charts", "chosen"];
  let waiting = 0;

  const bar = () => document.querySelector("[data-view]");

  // The query with what the address says of charts and ticks.
  function caughtUp(query) {
    const here = new URLSearchParams(location.search);
    for (const name of HELD) if (here.has(name)) query.set(name, here.get(name));
    return query;
  }

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const from = detail.elt;
    if (from.closest("[data-view-save]")) {
      detail.parameters.state = `?${caughtUp(new URLSearchParams(detail.parameters.state))}`;
      return;
    }
    const url = new URL(detail.path, location.href);
    if (from.closest("[data-view-new]")) {
      detail.path = `${url.pathname}?${caughtUp(url.searchParams)}`;
      return;
    }
    // A link without charts means those of the view; what was zoomed since stays.
    const charts = new URLSearchParams(location.search).get("charts");
    const isList = url.pathname === location.pathname || url.searchParams.has("view");
    const isSaid = url.searchParams.has("charts") || "charts" in detail.parameters;
    if (!bar() || charts === null || !isList || isSaid || from.closest("[data-resets]")) return;
    if (detail.verb === "get") detail.parameters.charts = charts;
  });

  document.addEventListener("studio:address", () => {
    if (!bar()?.dataset.barUrl) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const url = new URL(bar().dataset.barUrl, location.href);
      const query = new URLSearchParams(location.search);
      for (const [name, value] of query) url.searchParams.set(name, value);
      htmx.ajax("GET", url.pathname + url.search, { target: "#views-bar", swap: "outerHTML" });
    }, 400);
  });
})();
