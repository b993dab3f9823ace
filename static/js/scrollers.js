// Boxes that scroll sideways take focus, so that arrow keys reach what lies beyond their edge; they
// lose it again when everything fits.
(() => {
  const BOXES = ".table-scroll, pre";

  function check(box) {
    const overflows = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (overflows && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
      box.dataset.scroller = "";
    } else if (!overflows && "scroller" in box.dataset) {
      box.removeAttribute("tabindex");
      delete box.dataset.scroller;
    }
  }

  function checkAll() {
    for (const box of document.querySelectorAll(BOXES)) check(box);
  }

  document.addEventListener("htmx:load", checkAll);
  document.addEventListener("toggle", checkAll, true);
  addEventListener("resize", checkAll);
  checkAll();
})();
