// Picked lines: what #L120-L140 in the address names. A click on a number picks a line, with Shift
// as far as it; they are copied as text, as a link, or downloaded.
(() => {
  const MOST_COPIED = 5_000;

  class LogPicked {
    constructor(root, viewer) {
      Object.assign(this, { root, viewer, first: 0, last: 0 });
      this.bar = root.querySelector("[data-log-picked]");
      root.addEventListener("click", (event) => this.clicked(event));
      this.bar.querySelector("[data-log-copy]").addEventListener("click", () => this.copy());
      this.bar.querySelector("[data-log-copy-link]").addEventListener("click", () => this.copyLink());
      this.bar.querySelector("[data-log-unpick]").addEventListener("click", () => this.pick(0, 0));
    }

    static fromHash() {
      const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(location.hash);
      if (!found) return null;
      const ends = [Number(found[1]), Number(found[2] ?? found[1])].sort((a, b) => a - b);
      return ends[0] ? ends : null;
    }

    get words() {
      const [first, last] = [this.first, this.last].map((line) => line.toLocaleString("en"));
      return this.first === this.last ? `Line ${first}` : `Lines ${first}–${last}`;
    }

    clicked(event) {
      const number = event.target.closest(".log-number");
      if (!number || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const line = Number(number.closest(".log-line").dataset.line);
      const from = event.shiftKey && this.first ? (line < this.first ? this.last : this.first) : line;
      // Shift also selects text, which nobody meant.
      if (event.shiftKey) getSelection()?.removeAllRanges();
      this.pick(Math.min(from, line), Math.max(from, line));
    }

    // 0 picks none. The address follows, the view stays.
    pick(first, last, { isFromAddress = false } = {}) {
      Object.assign(this, { first, last });
      if (!isFromAddress) {
        const hash = first ? `#L${first}${last > first ? `-L${last}` : ""}` : "";
        history.replaceState(history.state, "", location.pathname + location.search + hash);
      }
      this.bar.hidden = !first;
      this.bar.querySelector("[data-log-picked-words]").textContent = first ? this.words : "";
      const range = new URL(this.root.dataset.file, location.href);
      range.searchParams.set("lines", `${first}-${last}`);
      this.bar.querySelector("[data-log-range]").href = range;
      this.viewer.redraw();
      if (first) this.viewer.tell(`${this.words} picked`, { isSeen: false });
    }

    has(line) {
      return this.first <= line && line <= this.last;
    }

    async copy() {
      const n = this.last - this.first + 1;
      if (n > MOST_COPIED) {
        this.viewer.tell(`More than ${MOST_COPIED.toLocaleString("en")} lines are for a download`);
        return;
      }
      const lines = [];
      while (lines.length < n) {
        const rows = await this.viewer.source.rows(this.first + lines.length, Math.min(400, n - lines.length));
        if (!rows.length) break;
        lines.push(...rows.map((row) => this.textOf(row)));
      }
      await this.write(`${lines.join("\n")}\n`, `${this.words} copied`);
    }

    textOf(row) {
      const text = row.querySelector(".log-text").cloneNode(true);
      for (const extra of text.querySelectorAll(".log-note, .log-fold, .log-whole")) extra.remove();
      return text.textContent.trimEnd();
    }

    copyLink() {
      return this.write(location.href, "Link copied");
    }

    async write(text, said) {
      try {
        await navigator.clipboard.writeText(text);
        this.viewer.tell(said);
      } catch {
        this.viewer.tell("The browser does not let this page copy");
      }
    }
  }

  window.LogPicked = LogPicked;
})();
