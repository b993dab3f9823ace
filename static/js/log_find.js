// The find bar of a log: hits are streamed in as lines of JSON, n and N walk them, the address keeps
// what is looked for. The viewer shows the lines, if it is there; else each hit is a link.
(() => {
  function wire(bar) {
    const form = bar.querySelector("[data-find-form]");
    const WAIT_MS = 350;
    const part = (name) => bar.querySelector(`[data-find-${name}]`);
    const field = part("text");
    const switches = [...form.querySelectorAll("[type=checkbox]")];
    const list = part("list");
    const number = new Intl.NumberFormat("en");
    const viewer = () => bar.closest("[data-log]")?.viewer;
    const nothing = () => ({ text: "", is: "", hits: [], at: -1, n: 0, isExact: true, next: null, running: null });
    let state = nothing();
    let waiting = 0;

    part("start").hidden = true;

    function query() {
      const asked = new URLSearchParams();
      if (field.value) asked.set("find", field.value);
      switches.filter((one) => one.checked).forEach((one) => asked.set(one.name, "1"));
      return asked;
    }

    function keepInAddress() {
      const here = new URL(location.href);
      ["find", ...switches.map((one) => one.name)].forEach((name) => here.searchParams.delete(name));
      query().forEach((value, name) => here.searchParams.set(name, value));
      if (here.href !== location.href) history.replaceState(history.state, "", here);
    }

    function show() {
      const { hits, at, n, isExact, running, next } = state;
      const all = number.format(n) + (isExact ? "" : "+");
      const words = at >= 0 ? `${number.format(at + 1)} of ${all}` : `${all} ${n === 1 ? "line" : "lines"}`;
      part("said").textContent = state.text === "" ? "" : running && !n ? "Searching…" : n ? words : state.wrong ? "" : "No hits";
      part("steps").hidden = !hits.length;
      part("stop").hidden = part("progress").hidden = !running;
      part("close").hidden = state.text === "";
      list.hidden = !hits.length;
      part("more").hidden = Boolean(running) || !next;
      part("foot").hidden = !hits.length && !state.said;
      part("foot-words").textContent = [hits.length < n ? `${number.format(hits.length)} of ${all} lines are listed.` : "", state.said ?? ""].join(" ").trim();
      part("wrong").hidden = !state.wrong;
      part("wrong").textContent = state.wrong ?? "";
      field.toggleAttribute("aria-invalid", Boolean(state.wrong));
      part("panel").hidden = part("foot").hidden && part("wrong").hidden && list.hidden;
    }

    function tellViewer() {
      viewer()?.setHits?.(state.hits.map((hit) => hit.line));
    }

    function stop() {
      state.running?.abort();
      state.running = null;
    }

    function close() {
      stop();
      clearTimeout(waiting);
      state = nothing();
      list.replaceChildren();
      field.value = "";
      keepInAddress();
      tellViewer();
      show();
    }

    // The answer's lines as they come; a piece may end inside one.
    async function* linesOf(answer) {
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) yield JSON.parse(line);
      }
    }

    async function search(after = "") {
      stop();
      const asked = query();
      if (!after) {
        state = { ...nothing(), text: field.value, is: asked.toString() };
        list.replaceChildren();
        keepInAddress();
        tellViewer();
      }
      if (!field.value) return show();
      const mine = (state.running = new AbortController());
      asked.set("path", form.elements.path.value);
      asked.set("context", "3");
      if (after) asked.set("after", after);
      part("progress").value = 0;
      across();
      show();
      try {
        const answer = await fetch(`${bar.dataset.hitsUrl}?${asked}`, { signal: mine.signal });
        if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? "The search failed. Try again.");
        const before = state.hits.length;
        for await (const said of linesOf(answer)) take(said, before);
      } catch (error) {
        if (mine.signal.aborted) return;
        state.wrong = error instanceof TypeError ? "The studio can't be reached. Try again." : error.message;
      }
      if (state.running !== mine) return;
      state.running = null;
      tellViewer();
      show();
    }

    function take(said, before) {
      if (said.type === "hit") {
        state.hits.push(said);
        list.append(rowOf(said, state.hits.length - 1));
      } else if (said.type === "error") {
        state.wrong = said.message;
      } else {
        // The rest of a file, counted from its cursor on.
        state.n = before + said.n;
        if (said.type === "progress") {
          part("progress").value = said.size ? said.n_bytes / said.size : 0;
        } else {
          state.isExact = said.is_exact;
          state.next = said.next;
          state.said = said.stopped === "enough" ? "" : said.message;
          if (state.at < 0 && state.hits.length && viewer()) go(nearest(), false);
        }
        tellViewer();
        show();
      }
    }

    function fill(row, line, text) {
      row.querySelector(".log-hit-number").textContent = line;
      row.querySelector(".log-hit-text").append(text);
    }

    function textOf(hit) {
      const text = document.createDocumentFragment();
      for (const [words, isMatch] of hit.parts) {
        const one = isMatch ? document.createElement("mark") : document.createElement("span");
        one.textContent = words;
        text.append(one);
      }
      if (hit.is_cut) text.append(" …");
      return text;
    }

    function rowOf(hit, index) {
      const row = part("row").content.firstElementChild.cloneNode(true);
      const link = row.querySelector("a");
      link.href = `${bar.dataset.lineUrl}${hit.line}#L${hit.line}`;
      fill(link, hit.line, textOf(hit));
      row.dataset.index = index;
      const button = row.querySelector("button");
      button.setAttribute("aria-label", `Lines around line ${hit.line}`);
      return row;
    }

    function unfold(row, button) {
      const around = row.querySelector(".log-hit-around");
      const hit = state.hits[row.dataset.index];
      if (!around.childElementCount) {
        for (const [line, text] of [...hit.before, null, ...hit.after].map((one) => one ?? [hit.line, null])) {
          const item = document.createElement("li");
          item.className = "log-hit around";
          const [gutter, words] = ["log-hit-number", "log-hit-text"].map((name) => Object.assign(document.createElement("span"), { className: name }));
          gutter.textContent = line;
          words.append(text === null ? textOf(hit) : text);
          item.append(gutter, words);
          around.append(item);
        }
      }
      around.hidden = !around.hidden;
      button.setAttribute("aria-expanded", String(!around.hidden));
    }

    // The first hit at or behind the line that the address names.
    function nearest() {
      const line = Number(new URLSearchParams(location.search).get("line")) || 0;
      return Math.max(0, state.hits.findIndex((hit) => hit.line >= line));
    }

    function go(index, isAsked = true) {
      if (!state.hits.length) return;
      state.at = (index + state.hits.length) % state.hits.length;
      const hit = state.hits[state.at];
      list.querySelector("[aria-current]")?.removeAttribute("aria-current");
      const row = list.children[state.at];
      row.setAttribute("aria-current", "true");
      row.scrollIntoView({ block: "nearest" });
      const line = document.getElementById(`L${hit.line}`);
      if (viewer()) viewer().goTo(hit.line, { highlight: true });
      else if (line) line.scrollIntoView({ block: "center" });
      if (isAsked && !viewer() && !line) list.children[state.at].querySelector("a").focus({ preventScroll: true });
      show();
    }

    function across() {
      const link = part("across");
      const quoted = field.value.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
      link.href = `${link.dataset.findAcross}${encodeURIComponent(`log~"${quoted}"`)}`;
      // In all runs a text is searched, in any case.
      link.hidden = switches.some((one) => one.checked);
    }

    function isOfLog(target) {
      return target === document.body || Boolean(target.closest(".log"));
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(waiting);
      if (query().toString() === state.is && !state.wrong) go(state.at + 1);
      else search();
    });
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(search, WAIT_MS);
    });
    part("stop").addEventListener("click", () => {
      stop();
      state.said = "Stopped.";
      state.isExact = false;
      show();
      field.focus();
    });
    part("close").addEventListener("click", () => {
      close();
      field.focus();
    });
    part("next").addEventListener("click", () => go(state.at + 1));
    part("previous").addEventListener("click", () => go(state.at < 0 ? -1 : state.at - 1));
    part("more").addEventListener("click", () => search(state.next));
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-index]");
      const button = event.target.closest(".log-hit-fold");
      if (button) unfold(row, button);
      else if (row && viewer() && !event.ctrlKey && !event.metaKey && event.target.closest("a")) {
        event.preventDefault();
        go(Number(row.dataset.index));
      }
    });

    document.addEventListener("keydown", (event) => {
      if (!bar.isConnected) return;
      const isTyping = event.target.closest("input, textarea, select, dialog, [contenteditable]");
      if (event.target === field) {
        if (event.key === "Enter" && event.shiftKey) {
          event.preventDefault();
          go(state.at < 0 ? -1 : state.at - 1);
        } else if (event.key === "Escape") {
          close();
          document.querySelector(".log-lines")?.focus();
        }
        return;
      }
      if (isTyping || event.altKey || !isOfLog(event.target)) return;
      const finds = (event.key === "f" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !event.ctrlKey);
      if (finds && (event.key === "/" || event.target !== document.body)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        field.focus();
        field.select();
      } else if (!event.ctrlKey && !event.metaKey && (event.key === "n" || event.key === "N") && state.hits.length) {
        event.preventDefault();
        event.stopImmediatePropagation();
        go(event.key === "n" ? state.at + 1 : state.at < 0 ? -1 : state.at - 1);
      } else if (event.key === "Escape" && state.text) close();
    }, true);

    document.addEventListener("studio:log-viewer", () => bar.isConnected && tellViewer());

    // The page of hits says them itself.
    if (field.value && !document.querySelector("[data-find-page]")) search();
    show();
  }

  // A step's log comes with its own bar.
  function start() {
    const bar = document.querySelector("[data-find]");
    if (!bar || bar.isWired) return;
    bar.isWired = true;
    wire(bar);
  }

  document.addEventListener("htmx:load", start);
  start();
})();
