// Charts: the only file that knows Plotly. Gives figures the page's colours, live points, fine zooms.
(() => {
  const LIVE_MS = 2000;
  const charts = new Map(); // plot -> {url, figure, version, isLive, isThinned, range, asking}
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // Plotly would add a <style> for its maps while it loads; the content policy refuses that. It adds
  // none when an element of this id is there (tests/web/test_figures.py finds the id in its source).
  const marker = document.createElement("template");
  marker.id = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
  document.head.append(marker);

  // A token as "rgb(r,g,b)" or, with alpha, "rgba(…)": Plotly reads neither light-dark() nor oklch().
  function colour(token, alpha = 1) {
    const element = document.createElement("i");
    element.style.color = `var(--${token})`;
    document.body.append(element);
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = getComputedStyle(element).color;
    probe.fillRect(0, 0, 1, 1);
    element.remove();
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    return `rgba(${red},${green},${blue},${alpha})`;
  }

  const ROLES = {
    line: (hue) => ({ line: { color: hue(), width: 1.75 }, marker: { color: hue(), size: 5 } }),
    faint: (hue) => ({ line: { color: hue(0.3), width: 1 } }),
    strong: () => ({ line: { color: colour("ink"), width: 2.5 } }),
    guide: () => ({ line: { color: colour("ink-faint"), width: 1, dash: "dot" } }),
    band: (hue) => ({ line: { color: hue(0), width: 0 }, fillcolor: hue(0.18) }),
    bars: (hue) => ({ marker: { color: hue(), line: { color: colour("paper"), width: 1 } } }),
    cells: (_, trace) => ({
      marker: {
        ...trace.marker,
        cmin: 0,
        colorscale: [[0, colour("paper-sunk")], [1, colour("accent-fill")]],
        line: { color: colour("paper"), width: 1 },
      },
    }),
  };

  function themed(figure, url) {
    const grid = colour("line-soft");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink-soft") };
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: colour("line-hard"), automargin: true };
    const hue = (trace) => (alpha) => colour(`run-${trace.meta.slot}`, alpha);
    const data = figure.data.map((trace) => ({ ...trace, ...ROLES[trace.meta.role](hue(trace), trace) }));
    const layout = {
      ...figure.layout,
      font,
      margin: { l: 52, r: 14, t: 10, b: 40 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", bgcolor: colour("paper", 0.8), font, ...figure.layout.legend },
      hoverlabel: { bgcolor: colour("paper-raised"), bordercolor: colour("line-hard"), font: { ...font, color: colour("ink") } },
      xaxis: { ...axis, ...figure.layout.xaxis },
      yaxis: { ...axis, ...figure.layout.yaxis },
      uirevision: url, // what was zoomed stays so when new points come
    };
    return [data, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" }];
  }

  function say(plot, text, kind = "") {
    const badge = plot.closest("[data-chart]").querySelector("[data-badge]");
    Object.assign(badge, { textContent: text, className: `chart-badge ${kind}` });
  }

  async function load(plot, { isNews = false } = {}) {
    const chart = charts.get(plot);
    chart.asking?.abort();
    const asking = (chart.asking = new AbortController());
    const url = new URL(chart.url, location.href);
    if (isNews && chart.version) url.searchParams.set("v", chart.version);
    chart.range?.forEach((end, i) => url.searchParams.set(i ? "to" : "from", end));
    try {
      const answer = await fetch(url, { signal: asking.signal });
      if (answer.status === 204) return;
      if (!answer.ok || answer.redirected) throw new Error(`answer ${answer.status}`);
      const figure = await answer.json();
      Object.assign(chart, { figure, version: figure.version, isLive: figure.is_live });
      if (!chart.range) chart.isThinned = figure.is_thinned;
      plot.setAttribute("aria-label", figure.label);
      say(plot, figure.badge);
      await draw(plot);
    } catch (error) {
      if (error.name !== "AbortError") say(plot, `The chart could not be loaded (${error.message}).`, "failed");
    } finally {
      if (chart.asking === asking) chart.asking = null;
    }
  }

  async function draw(plot) {
    const chart = charts.get(plot);
    if (!chart.figure?.data.length) return;
    await Plotly.react(plot, ...themed(chart.figure, chart.url));
    if (chart.isWired) return;
    chart.isWired = true;
    plot.closest("[data-chart]").querySelector("[data-chart-tools]").hidden = false;
    plot.on("plotly_relayout", (change) => zoomed(plot, change));
  }

  // The ends of the horizontal axis as the server counts: numbers, moments as epoch seconds.
  function ends(axis) {
    return axis.range.map((end) => (axis.type === "date" ? axis.r2l(end) / 1000 : Number(end)));
  }

  function zoomed(plot, change) {
    const chart = charts.get(plot);
    if (change["xaxis.autorange"] && chart.range) chart.range = null;
    else if (Object.keys(change).join().includes("xaxis.range") && chart.isThinned) chart.range = ends(plot._fullLayout.xaxis);
    else return;
    load(plot);
  }

  function zoom(plot, way) {
    if (way === "all") return Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true });
    const axis = plot._fullLayout.xaxis;
    const [low, high] = axis.range.map(axis.r2l);
    const step = ((high - low) / 4) * (way === "in" ? 1 : -2);
    return Plotly.relayout(plot, { "xaxis.range": [axis.l2r(low + step), axis.l2r(high - step)] });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button) zoom(button.closest("[data-chart]").querySelector("[data-figure-url]"), button.dataset.zoom);
  });

  function refresh() {
    if (document.hidden) return;
    for (const [plot, chart] of charts) if (chart.isLive && !chart.asking) load(plot, { isNews: true });
  }

  function attach() {
    for (const plot of charts.keys()) if (!plot.isConnected) charts.delete(plot) && window.Plotly?.purge(plot);
    for (const plot of document.querySelectorAll("[data-figure-url]")) {
      if (charts.has(plot)) continue;
      charts.set(plot, { url: plot.dataset.figureUrl });
      load(plot);
    }
  }

  const redraw = () => charts.forEach((_, plot) => draw(plot));
  document.addEventListener("studio:theme", redraw);
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, LIVE_MS);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("htmx:afterSettle", attach);
  document.addEventListener("DOMContentLoaded", attach);
})();
