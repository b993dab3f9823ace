// Charts: draws figures with Plotly in the page's colours, live points, fine zooms. Plotly is loaded
// when the first chart comes. What a chart above a list does besides is in list_charts.js.
(() => {
  const LIVE_MS = 2000;
  const charts = new Map(); // plot -> {url, figure, version, isLive, isPartial, part, asking}
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // Plotly would add a <style> for its maps while it loads; the content policy refuses that. It adds
  // none when an element of this id is there (tests/web/test_figures.py finds the id in its source).
  const marker = document.createElement("template");
  marker.id = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
  document.head.append(marker);

  const hues = new Map(); // token -> [red, green, blue] in the theme of now

  // A token as "rgba(…)": Plotly reads neither light-dark() nor oklch().
  function colour(token, alpha = 1) {
    if (!hues.has(token)) hues.set(token, measured(token));
    return `rgba(${hues.get(token)},${alpha})`;
  }

  function measured(token) {
    const element = document.createElement("i");
    element.style.color = `var(--${token})`;
    document.body.append(element);
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = getComputedStyle(element).color;
    probe.fillRect(0, 0, 1, 1);
    element.remove();
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
  }

  // From little to much, apart in lightness too: for those who do not tell the hues.
  const SCALE = ["scale-0", "scale-1", "scale-2"];

  // Without Plotly's own bar of colours, which writes styles that the content policy refuses: the page
  // says beside the chart what the lightest and the darkest mean.
  function graded() {
    return { colorscale: SCALE.map((token, i) => [i / (SCALE.length - 1), colour(token)]), showscale: false };
  }

  // A colour of the scale, the fainter the more lines there are: where they are dense shows.
  function shaded(at, n) {
    const place = at * (SCALE.length - 1);
    const [low, high] = [Math.floor(place), Math.ceil(place)].map((i) => colour(SCALE[i]).match(/[\d.]+/g).map(Number));
    const mixed = [0, 1, 2].map((i) => Math.round(low[i] + (high[i] - low[i]) * (place % 1)));
    return `rgba(${mixed},${Math.min(0.7, Math.max(0.06, 60 / n))})`;
  }

  const ROLES = {
    line: (hue) => ({ line: { color: hue(), width: 1.75 }, marker: { color: hue(), size: 5 } }),
    faint: (hue) => ({ line: { color: hue(0.3), width: 1 } }),
    strong: () => ({ line: { color: colour("ink"), width: 2.5 } }),
    best: () => ({ line: { color: colour("ink"), width: 1.5 } }),
    guide: () => ({ line: { color: colour("ink-faint"), width: 1, dash: "dot" } }),
    marks: () => ({ marker: { color: colour("failed"), size: 7 }, cliponaxis: false }),
    band: (hue) => ({ line: { color: hue(0), width: 0 }, fillcolor: hue(0.18) }),
    bars: (hue, trace) => ({ marker: { color: trace.meta.slots?.map((slot) => colour(`run-${slot}`)) ?? hue(), line: { color: colour("paper"), width: 1 } } }),
    dots: (_, trace) => ({ marker: { color: trace.meta.slots.map((slot) => colour(`run-${slot}`, 0.85)), size: 7 } }),
    graded: (_, trace) => ({ marker: { ...trace.marker, ...graded(), size: 7 } }),
    shade: (_, trace) => ({ line: { color: shaded(trace.meta.shade, trace.meta.n), width: 1 } }),
    rail: () => ({ line: { color: colour("line-hard"), width: 1.5 } }),
    field: (_, trace) => ({ ...graded(), contours: trace.contours, line: { color: colour("paper", 0.6), width: 0.5 } }),
    pins: () => ({ marker: { color: colour("ink"), size: 5, line: { color: colour("paper"), width: 1 } } }),
    box: (hue) => ({ line: { color: hue(), width: 1.5 }, fillcolor: hue(0.15), marker: { color: hue(0.7), size: 4 } }),
    cells: (_, trace) => ({
      marker: {
        ...trace.marker,
        cmin: 0,
        colorscale: [[0, colour("paper-sunk")], [1, colour("accent-fill")]],
        line: { color: colour("paper"), width: 1 },
      },
    }),
  };

  // What a role says, without losing what the figure says of the same part (a line's dash).
  function merged(trace, role) {
    const both = { ...trace, ...role };
    for (const part of ["line", "marker"]) if (trace[part] && role[part]) both[part] = { ...trace[part], ...role[part] };
    return both;
  }

  function themed(figure, url) {
    const grid = colour("line-soft");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink-soft") };
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: colour("line-hard"), automargin: true, exponentformat: "e" };
    const axes = ["xaxis", "yaxis", ...("yaxis2" in figure.layout ? ["yaxis2"] : [])];
    const hue = (trace) => (alpha) => colour(`run-${trace.meta.slot}`, alpha);
    const data = figure.data.map((trace) => merged(trace, ROLES[trace.meta.role](hue(trace), trace)));
    const layout = {
      ...figure.layout,
      font,
      margin: { l: 52, r: 14, t: 10, b: 40, ...figure.layout.margin },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", bgcolor: colour("paper", 0.8), font, ...figure.layout.legend },
      hoverlabel: { bgcolor: colour("paper-raised"), bordercolor: colour("line-hard"), font: { ...font, color: colour("ink") } },
      ...Object.fromEntries(axes.map((name) => [name, { ...axis, ...figure.layout[name] }])),
      annotations: figure.layout.annotations?.map((one) => ({ bgcolor: colour("paper", 0.75), ...one, font: { ...font, ...one.font } })),
      uirevision: url, // what was zoomed stays so when new points come
    };
    return [data, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" }];
  }

  function say(plot, text, kind = "") {
    const badge = plot.closest("[data-chart]").querySelector("[data-badge]");
    Object.assign(badge, { textContent: text, className: `chart-badge ${kind}` });
  }

  // What is said beside the drawing.
  function tell(plot) {
    const { figure } = charts.get(plot);
    plot.setAttribute("aria-label", figure.label);
    say(plot, figure.badge);
    scaleOf(plot, figure.layout.meta?.scale);
    plot.closest("[data-chart]").classList.toggle("chart-large", Boolean(figure.layout.meta?.is_large));
    if (isNothing(plot)) instead(plot);
  }

  // Nothing to draw, but a table to show.
  function isNothing(plot) {
    const { figure } = charts.get(plot);
    return !figure.data.length && plot.closest("[data-chart]").querySelector("[data-table-link]");
  }

  function instead(plot) {
    const chart = charts.get(plot);
    plot.hidden = true;
    if (!chart.isTabled) plot.closest("[data-chart]").querySelector("[data-table-link]").click();
    chart.isTabled = true;
  }

  function scaleOf(plot, scale) {
    const legend = plot.closest("[data-chart]").querySelector("[data-scale]");
    if (!legend) return;
    legend.hidden = !scale;
    if (!scale) return;
    legend.querySelector("[data-scale-label]").textContent = scale.label;
    legend.querySelector("[data-scale-low]").textContent = scale.low;
    legend.querySelector("[data-scale-high]").textContent = scale.high;
  }

  // Where the figure is asked for: with the part that is shown, once it was changed. A list's chart
  // takes both axes, empty for all; a metric's the horizontal one.
  function addressOf(plot, isNews) {
    const { url: text, version, part } = charts.get(plot);
    const url = new URL(text, location.href);
    if (isNews && version) url.searchParams.set("v", version);
    if (part && plot.closest("[data-kind]")) {
      url.searchParams.set("zx", part.x.join(".."));
      url.searchParams.set("zy", part.y.join(".."));
    } else if (part) part.x.forEach((end, i) => url.searchParams.set(i ? "to" : "from", end));
    return url;
  }

  // Bundled lines come without what repeats: where each point stands, and whose it is.
  function unpacked(trace) {
    const { uids, names } = trace.meta;
    if (!uids) return trace;
    const n = trace.y.length / uids.length;
    const each = (value) => trace.y.map((_, i) => value(Math.floor(i / n), i % n));
    return { ...trace, x: each((_, at) => (at < n - 1 ? at : null)), text: each((run) => names[run]), customdata: each((run) => uids[run]) };
  }

  async function load(plot, { isNews = false } = {}) {
    const chart = charts.get(plot);
    chart.asking?.abort();
    const asking = (chart.asking = new AbortController());
    try {
      const [answer] = await Promise.all([fetch(addressOf(plot, isNews), { signal: asking.signal }), plotly()]);
      if (answer.status === 204) return;
      if (!answer.ok || answer.redirected) throw new Error(`answer ${answer.status}`);
      const figure = await answer.json();
      figure.data = figure.data.map(unpacked);
      const isCut = chart.part ? chart.part.x.length > 0 : Boolean(figure.layout.xaxis?.range);
      Object.assign(chart, { figure, version: figure.version, isLive: figure.is_live, isPartial: figure.is_thinned || isCut });
      tell(plot);
      await draw(plot);
    } catch (error) {
      if (error.name !== "AbortError") say(plot, `The chart could not be loaded (${error.message}).`, "failed");
    } finally {
      if (chart.asking === asking) chart.asking = null;
    }
  }

  let loading = null;

  // Plotly and its style sheet, once, where a page did not bring them (`[data-plotly]` says where).
  function plotly() {
    if (window.Plotly) return Promise.resolve();
    const { plotly: script, plotlyCss: sheet } = document.querySelector("[data-plotly]").dataset;
    loading ??= new Promise((resolve, reject) => {
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: sheet, id: "plotly.js-style-global", className: "no-inline-styles" });
      const element = Object.assign(document.createElement("script"), { src: script, onload: resolve, onerror: () => reject(new Error("without Plotly")) });
      document.head.append(link, element);
    });
    return loading;
  }

  async function draw(plot) {
    const chart = charts.get(plot);
    if (!chart.figure || isNothing(plot)) return;
    plot.hidden = false;
    plot.dispatchEvent(new CustomEvent("studio:chart-drawing", { bubbles: true, detail: chart.figure }));
    await Plotly.react(plot, ...themed(chart.figure, chart.url));
    plot.dispatchEvent(new CustomEvent("studio:chart-drawn", { bubbles: true, detail: { figure: chart.figure, isFirst: !chart.isWired } }));
    if (chart.isWired) return;
    chart.isWired = true;
    plot.closest("[data-chart]").querySelector("[data-chart-tools]").hidden = false;
    plot.on("plotly_relayout", (change) => zoomed(plot, change));
  }

  // The ends of an axis as the server counts: numbers, moments as epoch seconds; none for everything.
  function ends(axis) {
    if (axis.autorange) return [];
    const value = (end) => (axis.type === "date" ? axis.r2l(end) / 1000 : axis.type === "log" ? 10 ** end : Number(end));
    return axis.range.map(value).sort((a, b) => a - b);
  }

  function zoomed(plot, change) {
    const changed = Object.keys(change).join();
    if (!/[xy]axis\.(auto)?range/.test(changed)) return;
    const chart = charts.get(plot);
    const { xaxis, yaxis } = plot._fullLayout;
    chart.part = { x: ends(xaxis), y: ends(yaxis) };
    plot.dispatchEvent(new CustomEvent("studio:chart-zoomed", { bubbles: true, detail: chart.part }));
    if (chart.isPartial && changed.includes("xaxis")) load(plot);
  }

  function zoom(plot, way) {
    if (way === "all") {
      const free = ["xaxis", "yaxis"].filter((name) => !plot._fullLayout[name].fixedrange);
      return Plotly.relayout(plot, Object.fromEntries(free.map((name) => [`${name}.autorange`, true])));
    }
    // Boxes have names along the x axis: their values are zoomed.
    const name = plot._fullLayout.xaxis.fixedrange ? "yaxis" : "xaxis";
    const axis = plot._fullLayout[name];
    const [low, high] = axis.range.map(axis.r2l);
    const step = ((high - low) / 4) * (way === "in" ? 1 : -2);
    return Plotly.relayout(plot, { [`${name}.range`]: [axis.l2r(low + step), axis.l2r(high - step)] });
  }

  // An address in one form, however it was written.
  function plain(address) {
    const url = new URL(address, location.href);
    url.searchParams.sort();
    return url.pathname + url.search;
  }

  // Another address for the figure: other runs are ticked.
  document.addEventListener("studio:chart-address", (event) => {
    const chart = charts.get(event.target);
    if (!chart || plain(chart.url) === plain(event.detail)) return;
    chart.url = event.detail;
    load(event.target);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button) zoom(button.closest("[data-chart]").querySelector("[data-figure-url]"), button.dataset.zoom);
  });

  function refresh() {
    if (document.hidden) return;
    for (const [plot, chart] of charts) if (chart.isLive && !chart.asking) load(plot, { isNews: true });
  }

  // What a plot draws, whatever its runs, zoom and size.
  function subject(plot) {
    const url = new URL(plot.dataset.figureUrl, location.href);
    const chart = new URLSearchParams(url.searchParams.get("charts") ?? url.search);
    return `${url.pathname} ${["kind", "x", "y", "z", "axis", "m", "host", "panel"].map((name) => chart.getAll(name))}`;
  }

  // The drawing of a plot that was swapped out goes on in the place of the new one until its figure
  // is there: no flash of an empty chart, and none at all when the figure is the same.
  function adopt(plot, place) {
    const chart = charts.get(plot);
    const address = place.dataset.figureUrl;
    plot.dataset.figureUrl = address;
    place.replaceWith(plot);
    plot.closest("[data-chart]").querySelector("[data-chart-tools]").hidden = false;
    tell(plot);
    Plotly.Plots.resize(plot);
    plot.dispatchEvent(new CustomEvent("studio:chart-moved", { bubbles: true }));
    if (plain(chart.url) === plain(address)) return;
    Object.assign(chart, { url: address, part: undefined, version: undefined });
    load(plot);
  }

  function attach() {
    const left = [...charts.keys()].filter((plot) => !plot.isConnected);
    for (const place of document.querySelectorAll("[data-figure-url]")) {
      if (charts.has(place)) continue;
      const at = left.findIndex((plot) => charts.get(plot).isWired && subject(plot) === subject(place));
      if (at >= 0) adopt(left.splice(at, 1)[0], place);
      else {
        place.replaceChildren(); // what the browser's history kept of an old drawing
        charts.set(place, { url: place.dataset.figureUrl });
        load(place);
      }
    }
    for (const plot of left) charts.delete(plot) && window.Plotly?.purge(plot);
  }

  function redraw() {
    hues.clear();
    charts.forEach((_, plot) => draw(plot));
  }

  document.addEventListener("studio:theme", redraw);
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, LIVE_MS);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("htmx:oobAfterSwap", attach);
  document.addEventListener("htmx:afterSettle", attach);
  document.addEventListener("DOMContentLoaded", attach);
})();
