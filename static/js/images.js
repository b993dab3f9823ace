// The tab Images: the slider and the field of the step go with what is shown; a picture that cannot be
// drawn says so.
(() => {
  const shownNow = () => document.getElementById("runs-images-shown");

  function follow() {
    const shown = shownNow();
    const slider = document.getElementById("images-at");
    if (!shown || !slider) return;
    const { place, nSteps, step, pinned, nNames } = shown.dataset;
    slider.hidden = Number(nSteps) < 2;
    slider.max = Number(nSteps) - 1;
    // A slider that is being moved is ahead of the answers.
    if (document.activeElement !== slider || !pinned) slider.value = place;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    const field = document.getElementById("images-step");
    if (document.activeElement !== field) field.value = pinned ? step : "";
    tell(document.getElementById("runs-image-names"), Number(nNames));
  }

  function tell(list, n) {
    const more = n - Number(list.dataset.nNames);
    const line = list.querySelector("[data-more-names]");
    if (more <= 0 || line.dataset.n === `${more}`) return;
    line.dataset.n = more;
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "list them" });
    line.replaceChildren(`${more} new name${more === 1 ? "" : "s"}: `, link);
  }

  function say(picture) {
    const frame = picture.closest?.("a.image-frame");
    if (!frame) return;
    picture.remove();
    frame.classList.add("muted");
    frame.append(`The picture cannot be drawn: ${picture.alt}. Open the file`);
  }

  // A picture may have failed before this script was there to hear of it.
  function sayOfFailed() {
    for (const picture of document.querySelectorAll("a.image-frame img")) {
      if (picture.complete && !picture.naturalWidth) picture.decode().catch(() => picture.isConnected && say(picture));
    }
  }

  // Errors of pictures do not bubble.
  document.addEventListener("error", ({ target }) => say(target), true);

  // A picture of few pixels is shown as such.
  document.addEventListener("load", ({ target }) => {
    if (target.matches?.(".image-frame img")) target.classList.toggle("enlarged", target.naturalHeight < target.clientHeight / 2);
  }, true);

  document.addEventListener("htmx:afterSettle", follow);
  document.addEventListener("DOMContentLoaded", follow);
  document.addEventListener("DOMContentLoaded", sayOfFailed);
})();
