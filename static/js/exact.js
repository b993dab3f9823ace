// A number that is shown rounded is copied whole, whatever else is selected around it.
(() => {
  const exact = (one) => one.getAttribute("value");

  // The number whose whole text is selected, with nothing around it.
  function onlyOne(selection) {
    const at = selection.anchorNode;
    const node = (at instanceof Element ? at : at?.parentElement)?.closest("data.num");
    const alone = node && node.contains(selection.focusNode) && selection.toString().trim() === node.textContent.trim();
    return alone ? node : null;
  }

  document.addEventListener("copy", (event) => {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || event.target.closest?.("input, textarea")) return;
    const only = onlyOne(selection);
    if (only) {
      event.clipboardData.setData("text/plain", exact(only));
      event.preventDefault();
      return;
    }
    const root = selection.getRangeAt(0).commonAncestorContainer;
    const within = root.nodeType === Node.ELEMENT_NODE ? [...root.querySelectorAll("data.num")] : [];
    const whole = within.filter((one) => selection.containsNode(one, false) && one.firstChild?.nodeType === Node.TEXT_NODE);
    if (!whole.length) return;
    // The browser knows best how to put a selection into lines and cells: it does so with the whole
    // numbers in place, which nobody sees.
    const shown = whole.map((one) => one.firstChild.data);
    whole.forEach((one) => { one.firstChild.data = exact(one); });
    const text = selection.toString();
    whole.forEach((one, i) => { one.firstChild.data = shown[i]; });
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
})();
