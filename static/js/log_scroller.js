// A scroller whose bar stands for all lines of a file while only those around the view are in the
// page. Near the view a pixel is a pixel; of a file that is higher than an element may be, the bar is
// brought back to its place whenever scrolling rests, so that nothing moves on the screen.
(() => {
  const CHUNK = 50;
  const MAX_PX = 8_000_000;
  const NEAR_PX = 800;
  const FAR_PX = 2_000;
  const REST_MS = 150;
  const JUMP_MS = 40;
  const TOUCH_MS = 2_000;
  const CHANGE_MS = 500;

  const lineOf = (row) => Number(row.dataset.line);

  class LogScroller {
    // decorate: called with each row before it is in the page.
    constructor(box, source, decorate) {
      Object.assign(this, { box, source, decorate, folds: new LogFolds() });
      this.chunks = [];
      this.top = 0; // of the window, in pixels of the space
      this.target = null; // the line that is to stay where it was asked for
      this.expected = -1; // the scrollTop we set ourselves
      this.touchedAt = this.changedAt = -Infinity;
      this.onScrolled = () => {};
      this.onResized = () => {};
      this.onFilled = () => {};
      this.onRows = () => {};
      this.build();
    }

    build() {
      const rows = [...this.box.querySelectorAll(".log-line")];
      this.space = document.createElement("div");
      this.space.className = "log-space";
      this.window = document.createElement("div");
      this.window.className = "log-window";
      this.window.id = "artifacts-log_lines";
      this.space.append(this.window);
      this.box.replaceChildren(this.space);
      this.rowPx = Number.parseFloat(getComputedStyle(this.box).lineHeight);
      this.averagePx = this.rowPx;
      for (const row of rows) {
        const first = this.chunkOf(lineOf(row));
        const chunk = this.chunks.at(-1)?.first === first ? this.chunks.at(-1) : this.add(first);
        this.take(chunk, [row]);
      }
      for (const chunk of this.chunks) this.unhold(chunk);
      this.box.addEventListener("scroll", () => this.scrolled());
      for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) {
        this.box.addEventListener(name, () => this.touched(), { passive: true });
      }
      new ResizeObserver(() => {
        this.changedAt = performance.now();
        this.arrange();
        this.onResized();
      }).observe(this.box);
    }

    // Somebody moves it: what is asked for no longer has to stay in its place.
    touched() {
      this.target = null;
      this.touchedAt = performance.now();
    }

    // Lines and pixels

    chunkOf(line) {
      return Math.floor((line - 1) / CHUNK) * CHUNK + 1;
    }

    get n() {
      return this.folds.rank(this.source.total + 1);
    }

    get spacePx() {
      return Math.min(this.n * this.averagePx, MAX_PX);
    }

    // Lines that are on the screen above the last one when the end is in view.
    get screen() {
      return Math.min(this.n, this.box.clientHeight / this.averagePx);
    }

    topFor(line) {
      const range = Math.max(1e-9, this.n - this.screen);
      return Math.min(1, this.folds.rank(line) / range) * Math.max(0, this.spacePx - this.box.clientHeight);
    }

    placeAt(scrollTop) {
      const range = Math.max(1, this.space.offsetHeight - this.box.clientHeight);
      const rank = Math.min(1, scrollTop / range) * (this.n - this.screen);
      const whole = Math.floor(rank + 1e-6);
      return { line: this.folds.at(whole), px: -(rank - whole) * this.averagePx };
    }

    chunkWith(line) {
      return this.chunks.find((chunk) => chunk.first <= line && line <= chunk.last);
    }

    row(line) {
      return this.window.querySelector(`[data-line="${line}"]`);
    }

    // Where a line begins within the window; a guess while it is not there yet.
    offsetIn(line) {
      const row = this.row(line);
      if (row && !row.hidden) return row.offsetTop;
      const chunk = this.chunkWith(line) ?? this.chunks[0];
      return chunk ? chunk.element.offsetTop + (line - chunk.first) * this.averagePx : 0;
    }

    // The first line in view, and how far below the upper edge it begins (0 or less).
    anchor() {
      const edge = this.box.scrollTop - this.top;
      const chunk = this.chunks.find((one) => one.element.offsetTop + one.element.offsetHeight > edge) ?? this.chunks.at(-1);
      if (!chunk) return { line: 1, px: 0 };
      for (const row of chunk.element.children) {
        if (!row.hidden && row.offsetTop + row.offsetHeight > edge) return { line: lineOf(row), px: row.offsetTop - edge };
      }
      const into = Math.max(0, Math.floor((edge - chunk.element.offsetTop) / this.averagePx));
      const line = Math.min(chunk.last, chunk.first + into);
      return { line, px: this.offsetIn(line) - edge };
    }

    lineAtEnd() {
      const edge = this.box.scrollTop + this.box.clientHeight - this.top;
      const rows = [...this.window.querySelectorAll(".log-line:not([hidden])")];
      return lineOf(rows.findLast((row) => row.offsetTop < edge) ?? { dataset: { line: 1 } });
    }

    // Changing the window

    moveTo(top) {
      this.top = top;
      this.changedAt = performance.now();
      this.window.style.top = `${top}px`;
    }

    scrollTo(scrollTop) {
      this.box.scrollTop = scrollTop;
      this.expected = this.box.scrollTop;
      this.changedAt = performance.now();
    }

    // So that the row stays where `at` says: its distance from the upper edge, or at the lower one.
    hold(at) {
      if (at.isEnd && this.hasLast) this.moveTo(this.box.scrollTop + this.box.clientHeight - this.window.offsetHeight);
      else this.moveTo(this.box.scrollTop + at.px - this.offsetIn(at.line));
    }

    // Whatever `change` does to the window, the line that is read stays where it is.
    keep(change, at = this.target ?? this.anchor()) {
      change();
      this.hold(at);
    }

    add(first, isBefore = false) {
      const element = document.createElement("div");
      element.className = "log-chunk waiting";
      element.style.minHeight = `${this.guess(first)}px`;
      const last = first + CHUNK - 1;
      const chunk = { first, last, next: first, element, openAt: -1, stop: new AbortController(), isBusy: false };
      if (isBefore) {
        this.window.prepend(element);
        this.chunks.unshift(chunk);
      } else {
        this.window.append(element);
        this.chunks.push(chunk);
      }
      return chunk;
    }

    guess(first) {
      const end = Math.min(first + CHUNK, this.source.total + 1);
      return Math.max(0, this.folds.rank(end) - this.folds.rank(first)) * this.averagePx;
    }

    drop(chunk) {
      chunk.stop.abort();
      chunk.element.remove();
      this.chunks.splice(this.chunks.indexOf(chunk), 1);
    }

    clear() {
      for (const chunk of [...this.chunks]) this.drop(chunk);
    }

    // Rows into their chunk: those that are there stay, but for a line that was still open.
    take(chunk, rows) {
      const open = chunk.element.querySelector("[data-open]");
      if (open && rows.length && lineOf(open) >= lineOf(rows[0])) open.remove();
      for (const row of rows) {
        row.hidden = this.folds.hides(lineOf(row));
        this.decorate(row);
        chunk.element.append(row);
        const isOpen = row.hasAttribute("data-open");
        chunk.next = isOpen ? lineOf(row) : lineOf(row) + 1;
        chunk.openAt = isOpen ? this.source.size : -1;
      }
      if (rows.length) this.onRows(rows);
    }

    unhold(chunk) {
      chunk.element.style.minHeight = "";
      chunk.element.classList.remove("waiting");
    }

    async fill(chunk) {
      // A line that is still open is not asked for again before something was written.
      const isMissing = () => chunk.next <= Math.min(chunk.last, this.source.total) && chunk.openAt !== this.source.size;
      if (chunk.isBusy || !isMissing()) return;
      chunk.isBusy = true;
      try {
        while (isMissing()) {
          const rows = await this.source.rows(chunk.next, chunk.last - chunk.next + 1, chunk.stop.signal);
          if (chunk.stop.signal.aborted) return;
          this.keep(() => {
            this.take(chunk, rows);
            if (!rows.length || !isMissing()) this.unhold(chunk);
          });
          if (!rows.length) break;
        }
        this.arrange();
        this.onFilled();
      } catch (error) {
        if (error.name !== "AbortError") this.onTrouble?.(error);
      } finally {
        chunk.isBusy = false;
      }
    }

    // Rows that came with a poll; whether they continue what is in the page.
    append(rows) {
      const rest = [...rows];
      while (rest.length) {
        const line = lineOf(rest[0]);
        let chunk = this.chunkWith(line);
        if (!chunk && this.chunks.at(-1)?.last === line - 1) chunk = this.add(line);
        if (!chunk || chunk.isBusy || chunk.next !== line) return;
        const now = rest.splice(0, chunk.last - line + 1);
        this.keep(() => {
          this.take(chunk, now);
          this.unhold(chunk);
        });
      }
      this.arrange();
    }

    // Arranging the window around the view

    get bottom() {
      return this.top + this.window.offsetHeight;
    }

    get hasFirst() {
      return this.chunks.length > 0 && this.folds.before(this.chunks[0].first - 1) < 1;
    }

    get hasLast() {
      return this.chunks.length > 0 && this.folds.after(this.chunks.at(-1).last + 1) > this.source.total;
    }

    arrange() {
      if (!this.chunks.length) {
        if (!this.source.total) return;
        this.add(1);
      }
      const from = this.box.scrollTop;
      const to = from + this.box.clientHeight;
      while (!this.hasLast && this.bottom < to + NEAR_PX) this.add(this.chunkOf(this.folds.after(this.chunks.at(-1).last + 1)));
      while (!this.hasFirst && this.top > from - NEAR_PX) {
        this.keep(() => this.add(this.chunkOf(this.folds.before(this.chunks[0].first - 1)), true));
      }
      this.keep(() => {
        for (const chunk of [...this.chunks]) {
          const start = this.top + chunk.element.offsetTop;
          if (start > to + FAR_PX || start + chunk.element.offsetHeight < from - FAR_PX) {
            if (this.chunks.length > 1 && chunk !== this.chunkWith(this.target?.line)) this.drop(chunk);
          }
        }
      });
      if (this.isAtEdge()) this.settle();
      // All that was asked for is there: from now on the line that is read stays where it is.
      if (!this.window.querySelector(".waiting")) this.target = null;
      clearTimeout(this.filling);
      const wait = this.chunks.every((chunk) => chunk.next > chunk.first || this.source.keeps(chunk.first, CHUNK)) ? 0 : JUMP_MS;
      this.filling = setTimeout(() => {
        for (const chunk of this.chunks) this.fill(chunk);
      }, wait);
    }

    isAtEdge() {
      if (this.hasFirst ? Math.abs(this.top) > 0.5 : this.top <= 0) return true;
      const end = this.space.offsetHeight;
      return this.hasLast ? Math.abs(this.bottom - end) > 0.5 : this.bottom >= end;
    }

    // Bring the bar where it belongs for the lines in view, which stay where they are on the screen.
    settle() {
      if (!this.chunks.length) return;
      const at = this.target ?? this.anchor();
      const rows = this.window.querySelectorAll(".log-chunk:not(.waiting) > .log-line:not([hidden])").length;
      if (!this.isWrapped) this.averagePx = this.rowPx;
      else if (rows) {
        const filled = this.chunks.filter((chunk) => !chunk.element.matches(".waiting"));
        const average = filled.reduce((sum, chunk) => sum + chunk.element.offsetHeight, 0) / rows;
        if (Math.abs(average - this.averagePx) > 0.2 * this.averagePx) this.averagePx = Math.max(average, 1);
      }
      const height = this.window.offsetHeight;
      let space = Math.max(this.spacePx, height);
      let top = this.top + this.topFor(at.line) - at.px - this.box.scrollTop;
      if (this.hasFirst) top = 0;
      else if (this.hasLast) top = Math.max(space - height, 1);
      else top = Math.max(1, Math.min(top, space - height - 1));
      if (this.hasLast) space = top + height;
      const by = top - this.top;
      if (Math.abs(by) < 1 && Math.abs(space - this.space.offsetHeight) < 1) return;
      const scrollTop = this.box.scrollTop + by;
      if (space > this.space.offsetHeight) this.space.style.height = `${space}px`;
      this.moveTo(top);
      this.scrollTo(scrollTop);
      this.space.style.height = `${space}px`;
      this.expected = this.box.scrollTop;
      if (this.hasFirst || (this.hasLast && !at.isEnd)) this.target = null;
    }

    scrolled() {
      const { scrollTop, clientHeight } = this.box;
      const isOurs = Math.abs(scrollTop - this.expected) < 1;
      this.expected = -1;
      const now = performance.now();
      // A browser also scrolls by itself, when what we change makes the end come nearer.
      const isTheirs = !isOurs && (now - this.touchedAt < TOUCH_MS || now - this.changedAt > CHANGE_MS);
      if (isTheirs) this.target = null;
      if (scrollTop + clientHeight < this.top || scrollTop > this.bottom) {
        const isEnd = scrollTop + clientHeight > this.space.offsetHeight - 2;
        this.rebuild(isEnd ? { line: this.source.total, px: clientHeight - this.averagePx, isEnd } : this.placeAt(scrollTop));
      } else {
        this.arrange();
      }
      this.onScrolled(isTheirs);
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.settle(), REST_MS);
    }

    rebuild(at) {
      this.clear();
      this.add(this.chunkOf(at.line));
      this.target = at;
      this.hold(at);
      this.arrange();
    }

    // Where a reader is sent

    show(line, px = 0) {
      const wanted = Math.max(1, Math.min(line, this.source.total));
      if (!this.source.total) return;
      if (this.folds.reveal(wanted)) this.refold();
      const row = this.row(wanted);
      this.target = { line: wanted, px };
      if (row) {
        this.scrollTo(this.top + row.offsetTop - px);
        if (Math.abs(this.top + row.offsetTop - px - this.box.scrollTop) > 1) this.target = null;
        this.arrange();
      } else {
        this.space.style.height = `${this.spacePx}px`;
        this.scrollTo(this.topFor(wanted) - px);
        this.rebuild({ line: wanted, px });
      }
      this.settle();
    }

    toEnd() {
      if (!this.source.total) return;
      this.target = null;
      if (this.hasLast) this.settle();
      else this.space.style.height = `${Math.max(this.spacePx, this.box.clientHeight)}px`;
      this.scrollTo(this.space.offsetHeight);
      if (this.hasLast) this.arrange();
      else this.rebuild({ line: this.source.total, px: this.box.clientHeight - this.averagePx, isEnd: true });
      this.scrollTo(this.space.offsetHeight);
    }

    isAtEnd() {
      return this.hasLast && this.box.scrollTop + this.box.clientHeight >= this.bottom - 2;
    }

    refold() {
      const at = this.anchor();
      for (const row of this.window.querySelectorAll(".log-line")) row.hidden = this.folds.hides(lineOf(row));
      const isGone = (chunk) => this.folds.rank(chunk.last + 1) === this.folds.rank(chunk.first);
      for (const chunk of this.chunks.filter(isGone)) this.drop(chunk);
      for (const chunk of this.chunks) this.decorateAll(chunk);
      at.line = this.folds.before(at.line);
      this.keep(() => {}, at);
      this.arrange();
      this.settle();
    }

    decorateAll(chunk) {
      for (const row of chunk.element.children) this.decorate(row);
    }

    redraw() {
      for (const chunk of this.chunks) this.decorateAll(chunk);
    }

    // All rows anew, the first one in view where it was.
    reload() {
      const { line, px } = this.anchor();
      this.source.forget();
      this.rebuild({ line: Math.max(1, Math.min(line, this.source.total)), px });
    }

    // Broken lines have heights of their own.
    setWrapped(isWrapped, change) {
      this.isWrapped = isWrapped;
      this.keep(change);
      this.arrange();
      this.settle();
    }
  }

  window.LogScroller = LogScroller;
})();
