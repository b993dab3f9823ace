// The moment that the tabs of a run share, ms of Unix time: pointed at in one chart and marked in all
// of the page, pinned by a click or Enter as `t` of the address. The marks are lines laid over the
// drawings, so that Plotly draws nothing again. What a place of an axis means in time says the figure's
// `layout.meta.clock` (studio/web/metric_charts.py).
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SNAP_PX = 20;
  const STILL_PX = 4;
  const DOUBLE_CLICK_MS = 500;
  const LEAP_PX = 40;
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const dated = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat("en", { dateStyle: "short" });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

  const plots = new Map(); // plot -> {svg, lines, points: of the first trace, once they are needed}
  const bar = document.querySelector("[data-moment]");
  const startMs = Number(bar.dataset.startMs);
  const find = (name) => bar.querySelector(`[data-moment-${name}]`);
  let pinned = Number(bar.dataset.atMs) || null;
  let pointed = null;

  // Words

  function words(ms) {
    const isSameDay = day.format(ms) === day.format(startMs);
    const apart = window.durationWords(Math.abs(ms - startMs) / 1000);
    return `${(isSameDay ? clock : dated).format(ms)} · ${apart} ${ms < startMs ? "before" : "after"} the start`;
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tell() {
    find("chip").hidden = pinned === null;
    if (pinned !== null) {
      write(find("words"), words(pinned));
      find("words").title = whole.format(pinned);
    }
    find("pointed").hidden = pointed === null || pointed === pinned;
    if (pointed !== null) write(find("pointed"), words(pointed));
    const hint = find("hint");
    if (hint) hint.hidden = pinned !== null || pointed !== null || !plots.size;
  }

  function announce(text) {
    document.getElementById("live").textContent = text;
  }

  // Places and moments of one chart

  const clockOf = (plot) => plot.layout?.meta?.clock;
  const axisOf = (plot) => plot._fullLayout.xaxis;

  // The points of the first trace: `at`, where on the axis, and `ms`, when, both in the order of the
  // axis; and the same by time.
  function pointsOf(plot) {
    const kept = plots.get(plot);
    if (kept.points) return kept.points;
    const axis = axisOf(plot);
    const { after_ms: after, start_ms: start } = clockOf(plot);
    const at = [...(plot.data[0]?.x ?? [])].map((x) => axis.d2l(x));
    const ms = at.map((l, i) => (after ? start + after[i] : simpleMs(plot, l)));
    const order = ms.map((_, i) => i).sort((a, b) => ms[a] - ms[b] || at[a] - at[b]);
    kept.points = { at, ms, atByTime: order.map((i) => at[i]), msByTime: order.map((i) => ms[i]) };
    return kept.points;
  }

  function simpleMs(plot, l) {
    const { axis, start_ms: start } = clockOf(plot);
    return axis === "time" ? l : start + l * 1000;
  }

  // How many of ascending values are at most `value`.
  function countUpTo(values, value) {
    let [low, high] = [0, values.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Where `value` of the ascending `from` lies in `to`, between its neighbours; an end beyond them.
  function between(from, to, value) {
    const i = countUpTo(from, value);
    if (!i) return to[0];
    if (i === from.length) return to[i - 1];
    const gap = from[i] - from[i - 1];
    return to[i - 1] + (gap ? ((value - from[i - 1]) / gap) * (to[i] - to[i - 1]) : 0);
  }

  function msAt(plot, l) {
    if (clockOf(plot).axis !== "step") return simpleMs(plot, l);
    const { at, ms } = pointsOf(plot);
    return at.length ? between(at, ms, l) : null;
  }

  // Null where the chart knows nothing of the moment: long before its first or behind its last point.
  function placeOf(plot, moment) {
    const { axis, start_ms: start } = clockOf(plot);
    if (axis === "time") return moment;
    if (axis === "relative") return (moment - start) / 1000;
    const { atByTime, msByTime } = pointsOf(plot);
    const [first, last] = [msByTime[0], msByTime.at(-1)];
    const near = Math.max(2_000, (2 * (last - first)) / Math.max(1, msByTime.length - 1));
    if (!msByTime.length || moment < first - near || moment > last + near) return null;
    return between(msByTime, atByTime, moment);
  }

  function nearest(plot, l) {
    const { at } = pointsOf(plot);
    const i = countUpTo(at, l);
    return [i - 1, i].filter((j) => j in at).sort((a, b) => Math.abs(at[a] - l) - Math.abs(at[b] - l))[0];
  }

  // The moment under the mouse: of the point that Plotly tells about, else of one that is near; null
  // beside the axes.
  function momentUnder(plot, clientX) {
    const axis = axisOf(plot);
    const px = clientX - plot.getBoundingClientRect().left - axis._offset;
    if (px < 0 || px > axis._length) return null;
    const l = axis.p2l(px);
    const told = plot._hoverdata?.[0];
    const i = nearest(plot, told ? axis.d2l(told.x) : l);
    if (i === undefined) return msAt(plot, l);
    const { at, ms } = pointsOf(plot);
    return Math.abs(axis.l2p(at[i]) - px) <= SNAP_PX ? ms[i] : msAt(plot, l);
  }

  // Lines

  function overlay() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "moment-lines");
    svg.setAttribute("aria-hidden", "true");
    const lines = ["pinned", "pointed"].map((name) => {
      const line = document.createElementNS(SVG, "line");
      line.setAttribute("class", name);
      svg.append(line);
      return line;
    });
    return { svg, lines };
  }

  function place(plot) {
    const { lines } = plots.get(plot);
    const { yaxis } = plot._fullLayout;
    const axis = axisOf(plot);
    for (const [line, moment] of [[lines[0], pinned], [lines[1], pointed]]) {
      const l = moment === null ? null : placeOf(plot, moment);
      const px = l === null ? -1 : axis.l2p(l);
      const isShown = px >= 0 && px <= axis._length;
      line.setAttribute("visibility", isShown ? "visible" : "hidden");
      if (!isShown) continue;
      const x = Math.round(axis._offset + px);
      for (const [name, value] of [["x1", x], ["x2", x], ["y1", yaxis._offset], ["y2", yaxis._offset + yaxis._length]]) line.setAttribute(name, value);
    }
  }

  function show() {
    for (const plot of plots.keys()) {
      if (plot.isConnected) place(plot);
      else plots.delete(plot);
    }
    tell();
  }

  function point(moment) {
    if (moment === pointed) return;
    pointed = moment;
    show();
  }

  document.addEventListener("studio:chart-drawn", ({ target: plot, detail }) => {
    if (!clockOf(plot)) return;
    if (!plots.has(plot)) plots.set(plot, overlay());
    const kept = plots.get(plot);
    kept.points = null;
    if (kept.svg.parentElement !== plot) plot.append(kept.svg);
    plot.tabIndex = 0;
    plot.setAttribute("aria-describedby", "moment-hint");
    if (detail.isFirst) {
      plot.on("plotly_afterplot", () => plots.has(plot) && clockOf(plot) && place(plot));
      plot.on("plotly_hover", ({ event }) => plots.has(plot) && event && point(momentUnder(plot, event.clientX)));
      plot.on("plotly_relayouting", () => plots.has(plot) && place(plot));
      plot.on("plotly_doubleclick", () => pin(beforeClicks));
    }
    place(plot);
    tell();
  });

  document.addEventListener("studio:chart-moved", ({ target }) => plots.has(target) && place(target));

  // The address and the links

  function withMoment(address) {
    const url = new URL(address, location.href);
    if (pinned === null) url.searchParams.delete("t");
    else url.searchParams.set("t", pinned);
    return url;
  }

  function address() {
    if (new URLSearchParams(location.search).get("t") === (pinned === null ? null : String(pinned))) return;
    history.replaceState(history.state, "", withMoment(location.href));
  }

  function links() {
    for (const link of document.querySelectorAll("a[data-moment-link]")) link.href = withMoment(link.href);
  }

  // null unpins.
  function pin(moment, { says = true } = {}) {
    const wanted = moment === null ? null : Math.round(moment);
    if (wanted === pinned) return;
    pinned = wanted;
    show();
    address();
    links();
    if (says) announce(pinned === null ? "No moment is pinned" : `Pinned: ${words(pinned)}`);
  }

  // Other links of the tabs keep the moment, too: another axis, another file, tables.
  function carry(event) {
    const link = event.target.closest?.("main a[href]");
    if (!link || link.hash || link.hasAttribute("download") || link.matches("[data-moment-unpin]")) return;
    const paths = [...document.querySelectorAll("a[data-moment-link]")].map((one) => one.pathname);
    if (paths.includes(link.pathname)) link.href = withMoment(link.href);
  }

  for (const name of ["pushedIntoHistory", "replacedInHistory"]) document.addEventListener(`htmx:${name}`, () => pinned !== null && address());

  // The mouse

  let pressed = null;
  let beforeClicks = null;
  let releasedAt = -DOUBLE_CLICK_MS;
  let waiting = 0;

  function plotAt(event) {
    const plot = event.target.closest?.(".plot");
    return plot && plots.has(plot) && clockOf(plot) ? plot : null;
  }

  document.addEventListener("pointermove", (event) => {
    if (event.buttons) return;
    const plot = plotAt(event);
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => point(plot?.isConnected ? momentUnder(plot, event.clientX) : null));
  }, { passive: true });

  document.addEventListener("pointerdown", (event) => {
    const plot = event.isPrimary && event.button === 0 && plotAt(event);
    pressed = plot ? { plot, x: event.clientX, y: event.clientY } : null;
  }, true);

  document.addEventListener("pointerup", (event) => {
    if (!pressed || Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > STILL_PX) return;
    const moment = momentUnder(pressed.plot, event.clientX);
    // The first of two clicks, which show all of the chart again, pins nothing either.
    if (event.timeStamp - releasedAt > DOUBLE_CLICK_MS) beforeClicks = pinned;
    releasedAt = event.timeStamp;
    if (moment !== null) pin(moment);
  }, true);

  document.addEventListener("click", (event) => {
    carry(event);
    const time = event.target.closest(".log-time[data-ms]");
    if (time) pin(Number(time.dataset.ms));
    if (!event.target.closest("[data-moment-unpin]") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pin(null);
    document.querySelector(".tab[aria-current]")?.focus({ preventScroll: true });
  });
  document.addEventListener("auxclick", carry);

  // The keys

  // One point on, or with Shift so many pixels; from the one pointed at, the pinned one or the middle.
  function target(plot, event) {
    const axis = axisOf(plot);
    const { at } = pointsOf(plot);
    const from = placeOf(plot, pointed ?? pinned ?? NaN) ?? NaN;
    const isSeen = axis.l2p(from) >= 0 && axis.l2p(from) <= axis._length;
    const i = nearest(plot, isSeen ? from : axis.p2l(axis._length / 2));
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const isEnd = event.key === "End";
    if (!way) return isEnd ? countUpTo(at, axis.p2l(axis._length)) - 1 : countUpTo(at, axis.p2l(0) - Number.EPSILON);
    if (!isSeen) return i;
    const leapt = event.shiftKey ? nearest(plot, axis.p2l(axis.l2p(at[i]) + way * LEAP_PX)) : i + way;
    return leapt === i ? i + way : leapt;
  }

  function move(plot, event) {
    const { at, ms } = pointsOf(plot);
    if (!at.length) return;
    const i = Math.max(0, Math.min(at.length - 1, target(plot, event)));
    point(ms[i]);
    const value = plot.data[0].y?.[i];
    const step = clockOf(plot).axis === "step" ? `step ${at[i]}, ` : "";
    announce(`${typeof value === "number" ? `${Number(value.toPrecision(6))}, ` : ""}${step}${words(ms[i])}`);
  }

  function escaped(event) {
    const isTaken = event.target.closest?.("input, textarea, select, dialog, [popover]") || document.querySelector(":popover-open, dialog[open]");
    if (isTaken || (pinned === null && pointed === null)) return;
    point(null);
    pin(null);
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return escaped(event);
    const plot = plots.has(event.target) && clockOf(event.target) ? event.target : null;
    if (!plot) return;
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) move(plot, event);
    else if (event.key === "Enter") pin(pointed ?? pinned);
    else return;
    event.preventDefault();
  });

  document.addEventListener("focusout", (event) => plots.has(event.target) && point(null));

  // The log

  // The viewer has a bar for the lines that are picked; what leads from there to the charts joins it.
  function lineLink() {
    const link = document.querySelector("[data-moment-of-line]");
    if (!link) return;
    const line = /^#L(\d{1,14})/.exec(location.hash)?.[1];
    const picked = document.querySelector("[data-log-picked]");
    if (picked && !picked.contains(link)) picked.querySelector("[data-log-unpick]").before(link);
    link.hidden = !line;
    const url = new URL(link.href);
    url.searchParams.set("line", line ?? "");
    link.href = url;
  }

  for (const name of ["click", "keyup", "studio:log-viewer"]) document.addEventListener(name, () => requestAnimationFrame(lineLink));
  addEventListener("hashchange", lineLink);

  document.addEventListener("htmx:afterSettle", () => {
    links();
    lineLink();
  });
  tell();
  lineLink();
})();
