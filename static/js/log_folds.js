// Which lines are folded away: places of lines are counted without them. Ranges are few.
(() => {
  class LogFolds {
    constructor() {
      this.closed = new Map(); // first line of a group -> its last
    }

    // Ranges of hidden lines, in order, those within others left out.
    ranges() {
      const found = [];
      for (const [first, last] of [...this.closed].sort((a, b) => a[0] - b[0])) {
        if (!found.length || first > found.at(-1)[1]) found.push([first + 1, last]);
      }
      return found;
    }

    hides(line) {
      return this.ranges().some(([from, to]) => from <= line && line <= to);
    }

    // How many lines are shown before `line`.
    rank(line) {
      let hidden = 0;
      for (const [from, to] of this.ranges()) if (from < line) hidden += Math.min(to, line - 1) - from + 1;
      return line - 1 - hidden;
    }

    // The line with so many shown ones before it.
    at(rank) {
      let line = rank + 1;
      for (const [from, to] of this.ranges()) if (from <= line) line += to - from + 1;
      return line;
    }

    after(line) {
      for (const [from, to] of this.ranges()) if (from <= line && line <= to) return to + 1;
      return line;
    }

    before(line) {
      for (const [from, to] of this.ranges()) if (from <= line && line <= to) return from - 1;
      return line;
    }

    // Open every group that hides the line; whether there was one.
    reveal(line) {
      const hiding = [...this.closed].filter(([first, last]) => first < line && line <= last);
      for (const [first] of hiding) this.closed.delete(first);
      return hiding.length > 0;
    }
  }

  window.LogFolds = LogFolds;
})();
