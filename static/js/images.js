// The slider over the steps of a logged image: shows the picture behind the step's link.
(() => {
  function show(card, index) {
    const link = card.querySelectorAll("[data-step]")[index];
    if (!link) return;
    const words = `step ${link.dataset.step}`;
    const image = card.querySelector("[data-image-shown]");
    image.src = link.href;
    image.alt = `${card.querySelector("h2").textContent}, ${words}`;
    card.querySelector("[data-image-link]").href = link.href;
    card.querySelector("[data-image-step]").textContent = words;
    card.querySelector("[data-image-slider]").setAttribute("aria-valuetext", words);
  }

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-image-slider]")) return;
    show(event.target.closest("[data-images]"), Number(event.target.value));
  });

  function attach() {
    for (const slider of document.querySelectorAll("[data-image-slider]")) slider.hidden = false;
  }
  document.addEventListener("htmx:load", attach);
  attach();
})();
