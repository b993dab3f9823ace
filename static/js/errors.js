// Requests that failed are told as a toast: what happened, and what to do.
(() => {
  const WORDS = {
    400: "The studio could not understand the request. Reload the page and try again.",
    403: "Your role does not allow this, or the page is too old. Reload it and try again.",
    404: "It is not there any more, or you have no access to it.",
    409: "Someone changed it meanwhile. Reload the page to see the change.",
    413: "This is too large.",
    429: "Too many requests. Wait a moment and try again.",
    503: "The studio is busy. Try again in a moment.",
  };

  function tell(text) {
    document.dispatchEvent(new CustomEvent("studio:toast", { detail: { text, level: "error" } }));
  }

  // A part that polls says nothing when one poll fails: the next one may succeed.
  function isPoll(event) {
    return /every /.test(event.detail.elt?.getAttribute("hx-trigger") ?? "");
  }

  document.addEventListener("htmx:responseError", (event) => {
    if (isPoll(event)) return;
    const { status } = event.detail.xhr;
    const reason = event.detail.xhr.getResponseHeader("X-Studio-Reason");
    tell(reason ?? WORDS[status] ?? `The studio failed (${status}). Try again in a moment.`);
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!isPoll(event)) tell("The studio does not answer. Check your connection and try again.");
  });
  document.addEventListener("htmx:timeout", (event) => {
    if (!isPoll(event)) tell("The studio took too long to answer. Try again in a moment.");
  });
  // Nothing polls while nobody looks, nor under an open panel or what is being typed in it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isPoll(event)) return;
    const busy = event.detail.elt.querySelector(":popover-open, dialog[open], input:focus, textarea:focus");
    if (document.hidden || busy) event.preventDefault();
  });
})();
