// Charts above a list: what a reader does to them stands in the page's address (zoom, hidden lines);
// ticks say which runs they draw; brushing an axis filters the list; a mark leads to its run.
(() => {
  // The axes of each kind whose shown part stands in the address. Bars and boxes are zoomed along their
  // values; parallel coordinates are marked instead.
  const ZOOMED = { line: ["zx", "zy"], scatter: ["zx", "zy"], contour: ["zx", "zy"], bar: ["zx"], box: ["zy"] };
  const HIDDEN_DIGITS = 12; // as custom_views/charts.py
  const MAX_CHARACTERS = 4000; // as search/scanner.py: what is longer no link and no view holds
  const MAX_ADDRESS = 7500; // as web/view_dialogs.py
  const cardOf = (element) => element.closest("[data-chart][data-kind]");

  // A chart's text as the server wrote it, with what was done to the chart since.
  const textOf = (card) => card.dataset.chartNow ?? card.dataset.chartText;

  // As the server writes texts and addresses, so that its links and ours are the same.
  const written = (query) => query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("+", "%20");

  // The fields of a chart changed in the page's address; "" takes a field out.
  function keep(card, fields) {
    const chart = new URLSearchParams(textOf(card));
    for (const [name, value] of Object.entries(fields)) {
      if (value) chart.set(name, value);
      else chart.delete(name);
    }
    const now = written(chart);
    const query = new URLSearchParams(location.search);
    const charts = [...document.querySelectorAll("[data-chart-text]")].map((one) => (one === card ? now : textOf(one))).join(";");
    query.set("charts", charts);
    const address = `${location.pathname}?${written(query)}${location.hash}`;
    if (charts.length > MAX_CHARACTERS || address.length > MAX_ADDRESS) return tellTooLong();
    card.dataset.chartNow = now;
    history.replaceState(history.state, "", address);
    document.dispatchEvent(new CustomEvent("studio:address"));
  }

  function tellTooLong() {
    const text = "This does not fit into the address of the page any more, so links and views do not keep it. To see few of many runs, tick them; or show hidden lines again, or remove a chart.";
    document.dispatchEvent(new CustomEvent("studio:toast", { detail: { text, level: "error" } }));
  }

  // Links and forms hold the charts of their time: what was zoomed and hidden since goes with them.
  function caughtUp(text) {
    const subject = (part) => ["kind", "x", "y", "z", "axis"].map((name) => part.get(name)).join("\n");
    const cards = [...document.querySelectorAll("[data-chart-now]")].map((card) => [card.dataset.chartText, new URLSearchParams(textOf(card))]);
    return text.split(";").map((part) => {
      const chart = new URLSearchParams(part);
      const [, now] = cards.find(([was]) => was === part) ?? cards.find(([, one]) => subject(one) === subject(chart)) ?? [];
      if (!now) return part;
      for (const name of ["zx", "zy", "hidden"]) {
        if (now.has(name)) chart.set(name, now.get(name));
        else chart.delete(name);
      }
      return written(chart);
    }).join(";");
  }

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.parameters.charts) detail.parameters.charts = caughtUp(detail.parameters.charts);
    const url = new URL(detail.path, location.href);
    if (!url.searchParams.get("charts")) return;
    url.searchParams.set("charts", caughtUp(url.searchParams.get("charts")));
    detail.path = `${url.pathname}?${written(url.searchParams)}`;
  });

  function wire(plot) {
    plot.on("plotly_restyle", () => {
      const hidden = plot.data.filter((trace) => trace.visible === "legendonly").map((trace) => trace.meta.uid.slice(0, HIDDEN_DIGITS));
      keep(cardOf(plot), { hidden: [...new Set(hidden)].join(",") });
    });
    plot.on("plotly_click", (event) => {
      const point = event.points[0];
      const uid = point.customdata ?? point.data.meta?.uid;
      if (uid) visit(uid, event.event);
    });
    plot.on("plotly_selected", (event) => brush(plot, event));
  }

  // A mark leads to its row, when the list shows it, and else to its page.
  function visit(uid, event) {
    const row = document.getElementById(`runs-row-${uid}`);
    const link = document.getElementById(`runs-row-link-${uid}`);
    if (!row || event.ctrlKey || event.metaKey) {
      const path = link?.pathname ?? `${location.pathname.split("/").slice(0, 3).join("/")}/runs/${uid}`;
      if (event.ctrlKey || event.metaKey) open(path, "_blank", "noopener");
      else location.assign(path);
      return;
    }
    row.scrollIntoView({ block: "center" });
    link.focus({ preventScroll: true });
  }

  // Where a drag began: that a mark on an axis spans the others too says Plotly nothing about.
  let pressedAt = 0;
  document.addEventListener("pointerdown", (event) => (pressedAt = event.clientX), true);

  // What is marked on an axis of parallel coordinates, as a condition: the list is filtered to it.
  function brush(plot, event) {
    const axes = plot.layout.meta?.axes;
    if (!axes || !event?.range) return;
    const { xaxis } = plot._fullLayout;
    const at = xaxis.p2d(pressedAt - plot.getBoundingClientRect().left - xaxis._offset);
    const axis = axes[Math.min(axes.length - 1, Math.max(0, Math.round(at)))];
    const [low, high] = [...event.range.y].sort((a, b) => a - b);
    Plotly.relayout(plot, { selections: [] });
    if (!axis.key) return;
    const condition = axis.words ? among(axis, low, high) : between(axis, low, high);
    if (!condition) return;
    const form = document.getElementById("runs-cells_form");
    if (!form) return; // a comparison is no list to filter
    const button = Object.assign(document.createElement("button"), { name: "add", value: condition, hidden: true });
    form.append(button);
    button.click(); // HTMX knows the clicked one of a form's buttons
    button.remove();
  }

  function between(axis, low, high) {
    const value = (height) => {
      const at = axis.low + height * (axis.high - axis.low);
      if (axis.is_time) return `${new Date(at * 1000).toISOString().slice(0, 19)}Z`;
      return Number((axis.is_log ? 10 ** at : at).toPrecision(6));
    };
    return `${axis.key}:${value(low)}..${value(high)}`;
  }

  function among(axis, low, high) {
    const words = axis.words.filter(([height]) => height >= low && height <= high).map(([, word]) => word);
    const quoted = words.map((word) => `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
    return words.length ? `${axis.key}:${quoted.join("|")}` : "";
  }

  // A figure may be older than what was hidden since it was asked for.
  document.addEventListener("studio:chart-drawing", ({ target, detail }) => {
    const card = cardOf(target);
    if (card?.dataset.kind !== "line") return;
    const hidden = new Set(new URLSearchParams(textOf(card)).get("hidden")?.split(","));
    for (const trace of detail.data) if (trace.meta?.uid) trace.visible = hidden.has(trace.meta.uid.slice(0, HIDDEN_DIGITS)) ? "legendonly" : true;
  });

  document.addEventListener("studio:chart-drawn", (event) => {
    const card = cardOf(event.target);
    if (card && event.detail.isFirst) wire(event.target);
  });

  document.addEventListener("studio:chart-zoomed", (event) => {
    const card = cardOf(event.target);
    const part = { zx: event.detail.x.join(".."), zy: event.detail.y.join("..") };
    const names = ZOOMED[card?.dataset.kind];
    if (names) keep(card, Object.fromEntries(names.map((name) => [name, part[name]])));
  });

  document.addEventListener("studio:ticks", (event) => {
    for (const plot of document.querySelectorAll("[data-kind] [data-figure-url]")) {
      const url = new URL(plot.dataset.figureUrl, location.href);
      const { chosen, n } = event.detail;
      if (chosen || document.querySelector("[data-keeps-ticks]")) url.searchParams.set("chosen", chosen);
      else url.searchParams.delete("chosen");
      if (n) url.searchParams.set("ticked", n);
      else url.searchParams.delete("ticked");
      plot.dispatchEvent(new CustomEvent("studio:chart-address", { bubbles: true, detail: url.pathname + url.search }));
    }
  });

  // The table beside a chart: focus goes into it, and back to the menu when it is hidden.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.matches?.(".chart-table")) event.target.querySelector("[data-hides]")?.focus();
  });

  // Where focus goes when the link that had it went with its chart.
  let isRemoved = false;
  document.addEventListener("htmx:beforeRequest", (event) => {
    isRemoved ||= event.detail.elt.matches("[data-removes]");
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!isRemoved || document.activeElement !== document.body) return;
    isRemoved = false;
    (document.querySelector("[data-removes]") ?? document.querySelector("#runs-add_chart"))?.focus();
  });

  document.addEventListener("click", (event) => {
    const hides = event.target.closest("[data-hides]");
    const item = event.target.closest("[data-kind] [role=menuitem]");
    item?.closest("[popover]").hidePopover();
    if (hides) {
      cardOf(hides).querySelector("[popovertarget]").focus();
      hides.closest(".chart-table").replaceChildren();
    }
    const picture = event.target.closest("[data-picture]");
    const expand = event.target.closest("[data-expand]");
    const card = cardOf(event.target);
    if (!card) return;
    const plot = card.querySelector("[data-figure-url]");
    if (picture) {
      const name = card.querySelector("h2").textContent.trim().replace(/[^\w.-]+/g, "-") || "chart";
      Plotly.downloadImage(plot, { format: picture.dataset.picture, filename: name, scale: picture.dataset.picture === "png" ? 2 : 1 });
    }
    if (expand) {
      if (document.fullscreenElement) document.exitFullscreen();
      else card.requestFullscreen();
    }
  });

  document.addEventListener("fullscreenchange", () => dispatchEvent(new Event("resize")));
})();
