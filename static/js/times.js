// Times: relative ones move on, running durations tick, titles speak the reader's time zone.
(() => {
  const UNITS = [["d", 86400], ["h", 3600], ["m", 60]];
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const ends = new WeakMap();
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

  function oneUnit(seconds) {
    for (const [letter, size] of UNITS) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${letter}`;
    }
    return `${Math.floor(seconds)} s`;
  }

  function rounded(seconds) {
    for (const [size, smaller] of [[86400, 3600], [3600, 60], [60, 1]]) {
      if (seconds >= size - smaller / 2) return Math.round(seconds / size) * size;
    }
    return Math.round(seconds);
  }

  // The same words as studio/web/formats.py writes.
  function ago(at) {
    const past = (Date.now() - at) / 1000;
    if (past < -5) return `in ${oneUnit(rounded(-past))}`;
    if (past < 5) return "now";
    return past < 30 * 86400 ? `${oneUnit(past)} ago` : day.format(at);
  }

  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const steps = [...UNITS, ["s", 1]];
    for (let i = 0; i < UNITS.length; i += 1) {
      const [letter, size] = steps[i];
      if (whole < size) continue;
      const [small, smallSize] = steps[i + 1];
      const rest = Math.floor((whole % size) / smallSize);
      return `${Math.floor(whole / size)} ${letter}${rest ? ` ${rest} ${small}` : ""}`;
    }
    return `${whole} s`;
  }

  window.durationWords = duration;

  function write(element, text) {
    // Writing the same text again would drop what the reader has selected.
    if (element.textContent !== text) element.textContent = text;
  }

  function tick() {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-ago]")) {
      write(element, ago(new Date(element.dateTime)));
    }
    for (const element of document.querySelectorAll("time[data-ticks-since]")) {
      write(element, duration((Date.now() - new Date(element.dataset.ticksSince)) / 1000));
    }
    for (const element of document.querySelectorAll("time[data-left]")) {
      // From what the server said on, whatever the clock here shows.
      if (!ends.has(element)) ends.set(element, performance.now() + 1000 * Number(element.dataset.left));
      write(element, duration(Math.ceil((ends.get(element) - performance.now()) / 1000)));
    }
  }

  function localise(root) {
    for (const element of root.querySelectorAll("time[data-clock]")) {
      write(element, clock.format(new Date(element.dateTime)));
      element.title = absolute.format(new Date(element.dateTime));
    }
    for (const element of root.querySelectorAll("time[data-ago]:not([data-local])")) {
      element.title = absolute.format(new Date(element.dateTime));
      element.dataset.local = "";
    }
    tick();
  }

  // Days of a query are those of the times that are shown: the server reads them in this zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  if (/^[A-Za-z0-9_+/-]{1,64}$/.test(zone)) {
    document.cookie = `studio_zone=${zone};path=/;max-age=31536000;samesite=lax`;
  }

  localise(document);
  document.addEventListener("htmx:load", (event) => localise(event.target.parentElement ?? document));
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, 1000);
})();
