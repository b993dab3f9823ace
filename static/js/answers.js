// Answers come when they come. Meanwhile news may have replaced what asked, or the reader has asked for
// something else: an answer goes to what stands in its place now; one that a later question has
// overtaken, or that nobody waits for any more, is dropped whole, its address with it.
(() => {
  let asked = 0; // questions of the reader so far
  let isPressed = false;
  const open = new Set(); // {target, number, isOwn, form, replacedBy: number of the answer that took the target away}

  const isPoll = (elt) => /every /.test(elt.getAttribute("hx-trigger") ?? "");

  // What the page asks for by itself: polls, parts that load themselves, lists drawn again.
  function isByItself({ requestConfig: { elt, headers } }) {
    return isPoll(elt) || elt.getAttribute("hx-trigger") === "load" || "X-Reload" in headers;
  }

  function placeOf({ requestConfig: { elt }, target }) {
    if (target.isConnected) return target;
    if (target.id) return document.getElementById(target.id);
    const [, closest] = /^closest (.+)$/.exec(elt.getAttribute("hx-target") ?? "") ?? [];
    return closest && elt.id ? document.getElementById(elt.id)?.closest(closest) : null;
  }

  function isLate(question, { requestConfig: { elt, verb } }, place) {
    if (verb !== "get") return false;
    // A press on what goes away before it is let go would hit nothing; the next poll says the same.
    if (isPoll(elt) && isPressed) return true;
    return !place || question.replacedBy > question.number || (question.isOwn && place !== question.target);
  }

  function drop({ xhr, requestConfig: { elt, headers } }) {
    const stop = (event) => event.detail.xhr === xhr && event.preventDefault();
    elt.addEventListener("htmx:beforeOnLoad", stop, { once: true });
    if ("X-Reload" in headers) document.dispatchEvent(new CustomEvent("studio:runs-changed"));
  }

  // The form that a question is part of, as it is filled in.
  function formOf({ requestConfig: { elt } }) {
    const form = elt.getAttribute("hx-include") === "closest form" && elt.closest("form");
    return form ? `${new URLSearchParams(new FormData(form))}` : "";
  }

  // What was ticked since would be undone by an answer that does not know of it.
  function askAgain({ xhr, requestConfig: { elt, path } }) {
    xhr.addEventListener("loadend", () => htmx.ajax("GET", path, { source: elt }));
  }

  function direct(question, detail) {
    const place = placeOf(detail);
    if (isLate(question, detail, place)) return drop(detail);
    if (question.form && question.form !== formOf(detail)) {
      askAgain(detail);
      return drop(detail);
    }
    if (place) detail.target = place;
    // HTMX looks for the places of the other parts below the root of what asked.
    const { elt } = detail.requestConfig;
    if (!elt.isConnected) elt.getRootNode = () => document;
  }

  document.addEventListener("htmx:beforeSend", ({ detail }) => {
    const isOwn = isByItself(detail);
    const question = { target: detail.target, number: isOwn ? asked : ++asked, isOwn, form: formOf(detail), replacedBy: 0 };
    open.add(question);
    detail.xhr.addEventListener("readystatechange", () => {
      if (detail.xhr.readyState === XMLHttpRequest.DONE && detail.xhr.status) direct(question, detail);
    });
    detail.xhr.addEventListener("loadend", () => {
      open.delete(question);
      for (const other of open) if (!other.target.isConnected) other.replacedBy ||= question.number;
    });
  });

  // The address that is shown already is no new step of the history: Back would seem to do nothing.
  document.addEventListener("htmx:beforeHistoryUpdate", ({ detail: { history, requestConfig } }) => {
    const next = new URL(history.path, location.href);
    const same = next.pathname === location.pathname && `${next.searchParams}` === `${new URLSearchParams(location.search)}`;
    if (same || "X-Reload" in requestConfig.headers) history.type = "replace";
  });

  addEventListener("pointerdown", () => (isPressed = true), true);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (isPressed = false), true);
  addEventListener("blur", () => (isPressed = false));
})();
