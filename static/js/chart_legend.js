// The lines of a chart as boxes to tick, below it: the legend inside the drawing knows no keyboard and
// has room for few. What is hidden stands in the page's address (list_charts.js).
(() => {
  // The runs of the drawing: one name may stand for several lines of a run.
  function runsOf(plot) {
    const found = new Map();
    plot.data.forEach((trace, i) => {
      if (!trace.meta?.uid) return;
      const isRun = !["strong", "guide"].includes(trace.meta.role);
      const run = found.get(trace.meta.uid) ?? { uid: trace.meta.uid, dot: isRun ? `run-c${trace.meta.slot}` : "legend-ink", names: new Set(), traces: [] };
      if (trace.showlegend) run.names.add(trace.name);
      run.traces.push(i);
      run.isHidden = trace.visible === "legendonly";
      found.set(run.uid, run);
    });
    return [...found.values()];
  }

  // Names come escaped, for Plotly.
  const plain = document.createElement("textarea");
  function words(name) {
    plain.innerHTML = name;
    return plain.value;
  }

  function row(run) {
    const label = Object.assign(document.createElement("label"), { className: "check legend-line" });
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: run.uid, checked: !run.isHidden });
    const dot = Object.assign(document.createElement("span"), { className: `legend-dot ${run.dot}`, ariaHidden: "true" });
    const name = Object.assign(document.createElement("span"), { className: "truncate", textContent: [...run.names].map(words).join(", ") });
    name.title = name.textContent;
    label.append(box, dot, name);
    return label;
  }

  function listed(plot) {
    const legend = plot.closest("[data-chart]").querySelector("[data-legend]");
    if (!legend) return;
    const runs = runsOf(plot);
    legend.hidden = runs.length < 2;
    const list = legend.querySelector("[data-legend-lines]");
    const drawn = runs.map((run) => `${run.uid} ${[...run.names]}`).join("\n");
    if (list.drawn !== drawn) {
      list.drawn = drawn;
      list.replaceChildren(...runs.map(row));
    }
    const hidden = new Set(runs.filter((run) => run.isHidden).map((run) => run.uid));
    for (const box of list.querySelectorAll("input")) box.checked = !hidden.has(box.value);
    const n = runs.length - hidden.size;
    legend.querySelector("[data-legend-count]").textContent = hidden.size ? `Lines: ${n} of ${runs.length} ${legend.dataset.legend || "runs"} shown` : "Lines";
    legend.querySelector("[data-legend-all]").disabled = !hidden.size;
  }

  function show(plot, runs, isShown) {
    const traces = runs.flatMap((run) => run.traces);
    if (traces.length) Plotly.restyle(plot, { visible: isShown ? true : "legendonly" }, traces);
  }

  // What was hidden stays so when new points come; a list keeps it in its address.
  document.addEventListener("studio:chart-drawing", ({ target, detail }) => {
    if (!target.data || !target.closest("[data-chart]").querySelector("[data-legend='lines']")) return;
    const known = new Map(target.data.map((trace) => [trace.meta?.uid, trace.visible]));
    for (const trace of detail.data) trace.visible = known.get(trace.meta.uid) ?? trace.visible;
  });

  document.addEventListener("studio:chart-drawn", ({ target, detail }) => {
    if (detail.isFirst) target.on("plotly_restyle", () => listed(target));
    listed(target);
  });

  document.addEventListener("studio:chart-moved", ({ target }) => listed(target));

  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-legend-lines] input");
    const plot = box?.closest("[data-chart]").querySelector("[data-figure-url]");
    if (plot) show(plot, runsOf(plot).filter((run) => run.uid === box.value), box.checked);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-legend-all], [data-legend-none]");
    const plot = button?.closest("[data-chart]").querySelector("[data-figure-url]");
    if (plot) show(plot, runsOf(plot), button.matches("[data-legend-all]"));
  });
})();
