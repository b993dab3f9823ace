// The lines of one file, asked for by number: parts of the server as rows, and what it says of the
// file with each of them. Some full pieces are kept, so that scrolling back needs no request.
(() => {
  const KEPT_PIECES = 24;

  function stateOf(part) {
    const said = part.dataset;
    return {
      total: Number(said.total),
      size: Number(said.size),
      errors: Number(said.errors),
      warnings: Number(said.warnings),
      percent: Number(said.percent),
      version: said.version,
      damage: said.damage ?? "",
      isBehind: "behind" in said,
      grows: "grows" in said,
    };
  }

  class LogSource {
    constructor(root) {
      this.url = root.dataset.lines;
      this.withTimes = false;
      this.kept = new Map();
      // Called with the state before after each answer.
      this.onState = () => {};
      Object.assign(this, stateOf(root.querySelector("#artifacts-log_lines")));
    }

    // The part that answers, or null while there are no news. Throws when there is no such file.
    async ask(query, signal) {
      const url = new URL(this.url, location.href);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      if (this.withTimes) url.searchParams.set("times", "1");
      const answer = await fetch(url, { signal, headers: { "HX-Request": "true" } });
      if (answer.status === 204) return null;
      if (!answer.ok) throw Object.assign(new Error(`HTTP ${answer.status}`), { status: answer.status });
      const text = await answer.text();
      const part = new DOMParser().parseFromString(text, "text/html").getElementById("artifacts-log_lines");
      // Signed out meanwhile: the answer is another page.
      if (!part) throw Object.assign(new Error("no lines"), { status: 403 });
      const before = { ...this };
      Object.assign(this, stateOf(part));
      this.onState(before);
      return part;
    }

    // At most `n` rows from line `from` on, fewer where lines are long.
    async rows(from, n, signal) {
      const key = `${from}+${n}`;
      if (this.kept.has(key)) return this.read(this.kept.get(key));
      const part = await this.ask({ from, n }, signal);
      const rows = part ? [...part.children] : [];
      if (rows.length === n && !rows.at(-1).hasAttribute("data-open")) {
        this.kept.set(key, part.innerHTML);
        if (this.kept.size > KEPT_PIECES) this.kept.delete(this.kept.keys().next().value);
      }
      return rows;
    }

    keeps(from, n) {
      return this.kept.has(`${from}+${n}`);
    }

    read(html) {
      return [...new DOMParser().parseFromString(html, "text/html").body.children];
    }

    forget() {
      this.kept.clear();
    }
  }

  window.LogSource = LogSource;
})();
