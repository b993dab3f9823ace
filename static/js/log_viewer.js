// The log viewer: the scroller with its bar, its keys and its live end. Others use it through the
// element's `viewer` (goTo, setHits) once it has sent studio:log-viewer, and may mark rows when
// studio:log-rows names some that come into the page.
(() => {
  const POLL_MS = 1_000;
  const COUNTING_MS = 250;
  const AWAY_MS = 5_000;
  const NEWS_LINES = 200;
  const CHOICES = ["wrap", "times"];
  // The letters behind `g` in static/js/shortcuts.js.
  const SECTIONS = { e: "experiments", r: "runs", p: "pipelines", c: "compute", v: "views" };
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

  class LogViewer {
    constructor(root) {
      this.root = root;
      this.box = root.querySelector("[data-log-scroller]");
      this.hits = new Set();
      this.current = 0;
      this.follows = false;
      this.version = "";
      this.source = new LogSource(root);
      this.version = this.source.version;
      this.source.onState = (before) => this.told(before);
      this.scroller = new LogScroller(this.box, this.source, (row) => this.decorate(row));
      this.scroller.onScrolled = (how) => this.scrolled(how);
      this.scroller.onResized = this.scroller.onFilled = () => this.follows && !this.scroller.isAtEnd() && this.scroller.toEnd();
      this.scroller.onRows = (rows) => this.send("studio:log-rows", { rows });
      this.scroller.onTrouble = (error) => this.troubled(error);
      this.picked = new LogPicked(root, this);
      this.marks = new LogMarks(root, this);
      this.listen();
      this.begin();
      root.viewer = this;
      this.send("studio:log-viewer", { viewer: this });
    }

    find(name) {
      return this.root.querySelector(`[data-log-${name}]`);
    }

    send(name, detail) {
      this.root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
    }

    begin() {
      const isAtLine = new URLSearchParams(location.search).has("line");
      const isAtEnd = !isAtLine && this.scroller.hasLast;
      const opensAtEnd = isAtEnd && this.scroller.chunks[0].first > 1;
      for (const name of CHOICES) this.choose(name, localStorage.getItem(`studio_log_${name}`) === "1", { isFirst: true });
      this.scroller.arrange();
      this.scroller.settle();
      if (!this.toAddress()) {
        this.setFollow(this.source.grows && (isAtEnd || !this.source.total));
        if (opensAtEnd) this.scroller.toEnd();
        else if (isAtLine) this.goTo(Number(new URLSearchParams(location.search).get("line")) || 1, { highlight: false });
      }
      this.showState();
      this.poll();
    }

    // What others may call

    goTo(line, { highlight = true } = {}) {
      const wanted = Math.max(1, Math.min(line, this.source.total));
      this.setFollow(false);
      this.current = wanted;
      if (highlight) this.picked.pick(wanted, wanted);
      this.scroller.show(wanted, Math.floor(this.box.clientHeight / 3));
      this.showPlace();
    }

    // Lines that a search found: ticks on the map, and rows with the class `hit`.
    setHits(lines) {
      this.hits = new Set(lines);
      this.marks.setHits(lines);
      this.redraw();
    }

    tell(words, { isSeen = true } = {}) {
      document.getElementById("live").textContent = words;
      if (!isSeen) return;
      const note = this.find("said");
      note.querySelector("p").textContent = words;
      note.hidden = false;
      clearTimeout(this.hushing);
      this.hushing = setTimeout(() => this.showState(), 2_500);
    }

    // Where to look on from: the line somebody was sent to while it is in view, else the view.
    here(isDown) {
      const first = this.scroller.anchor().line;
      const last = this.scroller.lineAtEnd();
      if (first <= this.current && this.current <= last) return this.current;
      return isDown ? first - 1 : last + 1;
    }

    // Rows

    decorate(row) {
      const line = Number(row.dataset.line);
      row.classList.toggle("picked", this.picked?.has(line) ?? false);
      row.classList.toggle("hit", this.hits.has(line));
      row.querySelector("[data-log-fold]")?.setAttribute("aria-expanded", String(!this.scroller?.folds.closed.has(line)));
      const time = row.querySelector("time[data-ms]");
      if (time && !time.title) {
        const at = new Date(Number(time.dataset.ms));
        time.textContent = clock.format(at);
        time.title = moment.format(at);
        time.dateTime = at.toISOString();
      }
    }

    redraw() {
      this.scroller.redraw();
    }

    toggleFold(row) {
      const line = Number(row.dataset.line);
      const { folds } = this.scroller;
      if (folds.closed.has(line)) folds.closed.delete(line);
      else folds.closed.set(line, Number(row.dataset.foldEnd));
      this.scroller.refold();
    }

    // More of a line, below it: the states of a progress bar, the next piece of a long one.
    async expand(link) {
      const row = link.closest(".log-line");
      const open = row?.querySelector(".log-whole");
      if (open && !link.closest(".log-whole")) {
        this.scroller.keep(() => open.remove());
        this.scroller.arrange();
        return;
      }
      const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".log-whole");
      if (!part || !row?.isConnected) return;
      part.removeAttribute("id");
      this.scroller.keep(() => {
        if (open) open.replaceWith(part);
        else row.querySelector(".log-text").append(part);
      });
      this.scroller.arrange();
    }

    // The live end

    setFollow(isOn) {
      this.follows = isOn && (this.source.grows || this.source.isBehind);
      this.find("follow").setAttribute("aria-pressed", String(this.follows));
      if (this.follows) this.scroller.toEnd();
    }

    toggleFollow() {
      if (this.source.grows) this.setFollow(!this.follows);
      else this.scroller.toEnd();
    }

    async poll() {
      clearTimeout(this.polling);
      if (!this.root.isConnected || !(this.source.grows || this.source.isBehind)) return;
      let wait = document.hidden ? AWAY_MS : POLL_MS;
      try {
        await this.askForNews();
        if (this.source.isBehind) wait = COUNTING_MS;
      } catch (error) {
        this.troubled(error);
        if (error.status >= 400 && error.status < 500) return;
        wait = AWAY_MS;
      }
      this.polling = setTimeout(() => this.poll(), wait);
    }

    async askForNews() {
      const last = this.scroller.chunks.at(-1);
      const isNear = this.scroller.hasLast || !last;
      const from = last?.next ?? 1;
      const wasBehind = this.source.isBehind;
      const query = { from, n: isNear || this.follows ? NEWS_LINES : 0 };
      if (!wasBehind) query.seen = this.source.size;
      const part = await this.source.ask(query);
      if (!part) return;
      const rows = [...part.children];
      const isNext = rows.length && (rows.at(-1).dataset.line === String(this.source.total) || !this.follows);
      if (isNear && isNext) this.scroller.append(rows);
      else this.scroller.arrange();
      if (wasBehind && !this.source.isBehind && !this.toAddress()) this.setFollow(true);
      if (this.follows) this.scroller.toEnd();
    }

    // What an answer said of the file.
    told(before) {
      const { source } = this;
      const isOther = (this.version && source.version !== this.version) || (source.size < before.size && source.version === before.version);
      if (isOther) this.isReplaced = true;
      this.version ||= source.version;
      this.lost = false;
      this.showState();
      if (before.grows && !source.grows) this.tell("The log is complete");
    }

    troubled(error) {
      if (error.name === "AbortError") return;
      this.lost = error.status === 404 ? "The run has no such file any more." : "The studio does not answer; trying again.";
      if (error.status === 403 || error.status === 401) this.lost = "You are signed out. Reload the page.";
      this.showState();
    }

    words() {
      if (this.isReplaced) return "This file was replaced while you were reading it.";
      if (this.lost) return this.lost;
      if (this.source.isBehind) return `Counting lines… ${this.source.percent} %`;
      if (!this.source.size) return this.source.grows ? "Waiting for the first line…" : "This file is empty.";
      return "";
    }

    showState() {
      const { source } = this;
      const words = this.words();
      const note = this.find("said");
      if (note.querySelector("p").textContent !== words) note.querySelector("p").textContent = words;
      note.hidden = !words;
      this.find("reload").hidden = !this.isReplaced;
      this.find("damage").hidden = !source.damage;
      this.find("damage").querySelector("p").textContent = source.damage;
      this.find("size").textContent = this.sizeWords(source);
      this.find("follow").hidden = !source.grows;
      this.find("download").hidden = !source.size;
      if (!source.grows && this.follows) this.setFollow(false);
      this.marks?.update();
      this.showPlace();
    }

    sizeWords({ size, total }) {
      const units = ["B", "kB", "MB", "GB", "TB"];
      let value = size;
      let unit = 0;
      while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
      }
      const shown = `${unit && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
      return size ? `${shown}, ${total.toLocaleString("en")} line${total === 1 ? "" : "s"}` : "";
    }

    showPlace() {
      this.marks?.showPlace(this.scroller.anchor().line, this.scroller.lineAtEnd());
    }

    scrolled(isTheirs) {
      if (isTheirs && this.follows && !this.scroller.isAtEnd()) this.setFollow(false);
      this.showPlace();
    }

    // The address, the bar and the keys

    toAddress() {
      const ends = LogPicked.fromHash();
      if (!ends || !this.source.total) return false;
      this.picked.pick(...ends, { isFromAddress: true });
      this.goTo(ends[0], { highlight: false });
      if (ends[0] > this.source.total && !this.source.isBehind) this.tell(`The file has ${this.source.total.toLocaleString("en")} lines`);
      return true;
    }

    choose(name, isOn, { isFirst = false } = {}) {
      const button = this.root.querySelector(`[data-log-choice="${name}"]`);
      button.hidden = false;
      button.setAttribute("aria-pressed", String(isOn));
      if (!isFirst) localStorage.setItem(`studio_log_${name}`, isOn ? "1" : "0");
      if (name === "wrap") this.scroller.setWrapped(isOn, () => this.root.classList.toggle("log-wrap", isOn));
      else if (this.source.withTimes !== isOn) {
        this.source.withTimes = isOn;
        this.scroller.reload();
      }
      if (this.follows) this.scroller.toEnd();
    }

    jump(text) {
      const line = Number(text.replace(/[^0-9]/g, ""));
      if (line) this.goTo(line);
      this.box.focus({ preventScroll: true });
    }

    scrollBy(lines) {
      this.scroller.touched();
      this.box.scrollTop += lines * this.scroller.rowPx;
    }

    screen() {
      return Math.max(1, Math.floor(this.box.clientHeight / this.scroller.rowPx) - 2);
    }

    keys() {
      return {
        g: () => this.find("jump").querySelector("[name=line]").select(),
        j: () => this.toggleFollow(),
        f: () => this.marks.next("error", true),
        F: () => this.marks.next("error", false),
        w: () => this.marks.next("warning", true),
        W: () => this.marks.next("warning", false),
        ArrowDown: () => this.scrollBy(1),
        ArrowUp: () => this.scrollBy(-1),
        PageDown: () => this.scrollBy(this.screen()),
        PageUp: () => this.scrollBy(-this.screen()),
        Home: () => { this.setFollow(false); this.scroller.show(1); },
        End: () => { this.scroller.toEnd(); this.setFollow(this.source.grows); },
      };
    }

    pressed(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const { target } = event;
      const isField = target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, [popover]");
      const isMoving = event.key.length > 1;
      if (isField || (isMoving && target !== document.body && target !== this.box)) return;
      const key = this.keys()[event.key];
      if (!key) return;
      event.preventDefault();
      event.stopPropagation();
      key();
    }

    // `g` stands in the field for a line; `g` and a letter still goes to a section.
    typed(event) {
      if (event.key === "Escape") this.box.focus({ preventScroll: true });
      if (event.target.value || !(event.key in SECTIONS) || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      document.querySelector(`[data-go="${SECTIONS[event.key]}"]`)?.click();
    }

    clicked(event) {
      const fold = event.target.closest("[data-log-fold]");
      const more = event.target.closest("[data-log-more]");
      const choice = event.target.closest("[data-log-choice]");
      if (fold) this.toggleFold(fold.closest(".log-line"));
      else if (choice) this.choose(choice.dataset.logChoice, choice.getAttribute("aria-pressed") !== "true");
      else if (event.target.closest("[data-log-follow]")) this.toggleFollow();
      else if (event.target.closest("[data-log-reload]")) location.reload();
      else if (more && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.expand(more);
      }
    }

    listen() {
      this.root.addEventListener("click", (event) => this.clicked(event));
      const jump = this.find("jump");
      jump.addEventListener("submit", (event) => {
        event.preventDefault();
        this.jump(jump.elements.line.value);
      });
      jump.elements.line.addEventListener("keydown", (event) => this.typed(event));
    }
  }

  const open = () => document.querySelector("[data-log]")?.viewer;

  function start() {
    const root = document.querySelector("[data-log]");
    if (root && !root.viewer) new LogViewer(root);
  }

  // Before the keys of the whole site, some of which are the same.
  document.addEventListener("keydown", (event) => open()?.pressed(event), true);
  document.addEventListener("visibilitychange", () => document.hidden || open()?.poll());
  addEventListener("hashchange", () => open()?.toAddress());
  document.addEventListener("htmx:load", start);
  start();
})();
