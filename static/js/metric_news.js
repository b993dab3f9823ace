// The last values beside the names of metrics, while the run goes on: only their texts change, so that
// ticks, focus and what is scrolled stay. New names are said, not put in.
(() => {
  const EVERY_MS = 2000;
  let asking = false;

  function tell(list, { last, n_names: n }) {
    for (const place of list.querySelectorAll("[data-last]")) {
      const text = last[place.dataset.last];
      if (text !== undefined && place.textContent !== text) place.textContent = text;
    }
    const more = n - Number(list.dataset.nNames);
    const said = more > 0 ? `${more} new metric${more === 1 ? "" : "s"}: ` : "";
    const line = list.querySelector("[data-more-names]");
    if (!said || line.dataset.n === `${more}`) return;
    line.dataset.n = more;
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "list them" });
    line.replaceChildren(said, link);
  }

  async function ask() {
    const list = document.querySelector("[data-news-url]");
    if (!list || asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(`${list.dataset.newsUrl}&v=${list.dataset.version ?? ""}`);
      if (answer.status !== 200 || answer.redirected) return;
      const news = await answer.json();
      list.dataset.version = news.version;
      tell(list, news);
      if (!news.is_live) list.removeAttribute("data-news-url");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // no connection: the page says so elsewhere
    } finally {
      asking = false;
    }
  }

  setInterval(ask, EVERY_MS);
})();
