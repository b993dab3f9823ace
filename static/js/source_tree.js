// A long tree of files scrolls by itself: what is opened is in view from the start.
(() => {
  const tree = document.querySelector(".source-tree");
  const opened = tree?.querySelector("[aria-current]");
  if (opened) tree.scrollTop = opened.offsetTop - tree.clientHeight / 2;
})();
