// Errors and warnings of a log: the way to the next one, how many there are, and the map at the
// right edge with what is in view and what a search found.
(() => {
  const BINS = 240;
  const MAP_EVERY_MS = 3_000;
  const SVG = "http://www.w3.org/2000/svg";

  class LogMarks {
    // say: tells the reader; go: sends the reader to a line.
    constructor(root, viewer) {
      Object.assign(this, { root, viewer });
      this.map = root.querySelector("[data-log-map]");
      this.map.hidden = false;
      this.map.addEventListener("click", (event) => this.pointed(event));
      for (const group of root.querySelectorAll("[data-log-kind]")) {
        const kind = group.dataset.logKind;
        group.querySelector("[data-log-previous]").addEventListener("click", (event) => this.clicked(event, kind, false));
        group.querySelector("[data-log-next]").addEventListener("click", (event) => this.clicked(event, kind, true));
      }
      this.drawn = "";
      this.drawnAt = 0;
      this.update();
    }

    clicked(event, kind, isNext) {
      event.preventDefault();
      this.next(kind, isNext);
    }

    pointed(event) {
      const { top, height } = this.map.getBoundingClientRect();
      const part = Math.max(0, Math.min(1, (event.clientY - top) / height));
      this.viewer.goTo(Math.max(1, Math.round(part * this.viewer.source.total)), { highlight: false });
    }

    // Beginning at the line somebody went to, if it is in view, else at what is in view.
    async next(kind, isNext) {
      const url = new URL(this.root.dataset.mark, location.href);
      url.searchParams.set("kind", kind);
      url.searchParams.set(isNext ? "after" : "before", this.viewer.here(isNext));
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const { line } = await answer.json();
      if (line) this.viewer.goTo(line, { highlight: true });
      else this.viewer.tell(isNext ? `No ${kind} below` : `No ${kind} above`);
    }

    update() {
      const { source } = this.viewer;
      for (const group of this.root.querySelectorAll("[data-log-kind]")) {
        const n = group.dataset.logKind === "error" ? source.errors : source.warnings;
        group.hidden = !n;
        group.querySelector("[data-log-count]").textContent = this.short(n);
      }
      this.draw();
    }

    short(n) {
      for (const [limit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
        if (n >= limit) return `${n >= 10 * limit ? Math.floor(n / limit) : Math.floor((n / limit) * 10) / 10}${letter}`;
      }
      return String(n);
    }

    async draw() {
      const { source } = this.viewer;
      const marks = `${source.errors}/${source.warnings}/${source.version}`;
      const wanted = source.errors + source.warnings > 0 ? `${marks}/${source.total}` : marks;
      const wait = this.drawnAt + MAP_EVERY_MS - Date.now();
      if (wanted === this.drawn || this.isDrawing) return;
      if (wait > 0) {
        clearTimeout(this.later);
        this.later = setTimeout(() => this.draw(), wait);
        return;
      }
      this.drawn = wanted;
      this.drawnAt = Date.now();
      const box = this.map.querySelector("[data-log-map-marks]");
      if (!source.errors && !source.warnings) {
        box.replaceChildren();
        return;
      }
      this.isDrawing = true;
      try {
        const answer = await fetch(this.root.dataset.map, { headers: { "HX-Request": "true" } });
        if (!answer.ok) return;
        const drawing = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("svg");
        if (drawing) box.replaceChildren(drawing);
      } finally {
        this.isDrawing = false;
      }
    }

    // Which part of the file is on the screen.
    showPlace(first, last) {
      const total = Math.max(1, this.viewer.source.total);
      const here = this.map.querySelector("[data-log-map-here]");
      const { style } = here;
      here.hidden = first <= 1 && last >= total;
      style.top = `${((first - 1) / total) * 100}%`;
      style.height = `${((last - first + 1) / total) * 100}%`;
    }

    setHits(lines) {
      const total = Math.max(1, this.viewer.source.total);
      const bins = new Set(lines.map((line) => Math.min(BINS - 1, Math.floor(((line - 1) * BINS) / total))));
      const drawing = document.createElementNS(SVG, "svg");
      drawing.setAttribute("viewBox", `0 0 10 ${BINS}`);
      drawing.setAttribute("preserveAspectRatio", "none");
      drawing.setAttribute("aria-hidden", "true");
      drawing.classList.add("log-marks");
      for (const bin of bins) {
        const mark = document.createElementNS(SVG, "rect");
        for (const [name, value] of [["x", 0], ["y", bin], ["width", 10], ["height", 1]]) mark.setAttribute(name, value);
        mark.classList.add("hit");
        drawing.append(mark);
      }
      this.map.querySelector("[data-log-map-hits]").replaceChildren(drawing);
    }
  }

  window.LogMarks = LogMarks;
})();
