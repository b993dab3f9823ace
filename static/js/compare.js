// Runs side by side: n and p go from difference to difference, the table is copied as Markdown,
// times are the reader's own.
(() => {
  const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const thisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...TIME });
  const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  let at = null;

  function isTyping(target) {
    return target.closest("input, textarea, select, [contenteditable], dialog, [popover]");
  }

  function say(text) {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  }

  // From where the focus is, else from where it was last; the first one, or the last one, at first.
  function step(by) {
    const rows = [...document.querySelectorAll("#compare-results [data-differs]")];
    if (!rows.length) return say("Nothing differs");
    const from = rows.indexOf(document.activeElement?.closest("[data-differs]") ?? at);
    const to = from < 0 ? (by > 0 ? 0 : rows.length - 1) : from + by;
    if (!rows[to]) return say(by > 0 ? "No further difference" : "No earlier difference");
    at = rows[to];
    at.querySelector("th").focus({ preventScroll: true });
    at.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key !== "n" && event.key !== "p") return;
    event.preventDefault();
    step(event.key === "n" ? 1 : -1);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-difference]");
    if (button) step(Number(button.dataset.difference));
  });

  function tell(text, level) {
    document.dispatchEvent(new CustomEvent("studio:toast", { detail: { text, level } }));
  }

  // Without a clipboard (a page that is not secure) the link is followed: a download.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-copy-file]");
    if (!link || !navigator.clipboard || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const answer = await fetch(link.href);
      if (!answer.ok) throw new Error(answer.status);
      await navigator.clipboard.writeText(await answer.text());
      tell("Copied as Markdown", "success");
    } catch {
      tell("The table could not be copied. Open the link in a new tab to download it.", "error");
    }
  });

  // What is shown of the charts stands in the page's address; links of the table were made before.
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const url = new URL(detail.path, location.href);
    const isOurs = [location.pathname, `${location.pathname}/add`].includes(url.pathname);
    if (!isOurs || !document.getElementById("compare-charts") || detail.target?.id === "compare-charts") return;
    const charts = new URLSearchParams(location.search).get("charts");
    url.searchParams.delete("charts");
    detail.path = url.pathname + url.search;
    if (charts) detail.parameters.charts = charts;
    else delete detail.parameters.charts;
  });

  function localise() {
    for (const element of document.querySelectorAll("time[data-at]:not([data-local])")) {
      const date = new Date(element.dateTime);
      const isNew = date.getFullYear() === new Date().getFullYear();
      element.textContent = (isNew ? thisYear : otherYear).format(date);
      element.closest("td").title = whole.format(date);
      element.dataset.local = "";
    }
  }

  document.addEventListener("htmx:load", localise);
  localise();
})();
