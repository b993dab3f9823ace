// The editor of a description: images that are pasted, dropped or chosen are uploaded one request
// each; their place in the text is marked until they are there.
(() => {
  const WORDS = { 403: "Your role does not allow this, or the page is too old. Reload it.", 413: "It is too large." };
  const place = () => document.querySelector("[data-attach]");
  const field = () => document.getElementById("description-text");
  const pending = new Set();
  let n = 0;

  function say(text) {
    document.dispatchEvent(new CustomEvent("studio:toast", { detail: { text, level: "error" } }));
  }

  function element(tag, facts) {
    return Object.assign(document.createElement(tag), facts);
  }

  function changed() {
    field().dispatchEvent(new InputEvent("input", { bubbles: true }));
  }

  // At the cursor, in a paragraph of its own line.
  function mark(text) {
    const { value, selectionStart: at } = field();
    const before = at && value[at - 1] !== "\n" ? "\n" : "";
    field().setRangeText(`${before}${text}\n`, at, field().selectionEnd, "end");
    changed();
  }

  function replace(mark, text) {
    const box = field();
    const at = box.value.indexOf(mark);
    if (at < 0) {
      if (text) box.setRangeText(`\n${text}\n`, box.value.length, box.value.length, "preserve");
    } else {
      box.setRangeText(text, at, at + mark.length + (text ? 0 : 1), "preserve");
    }
    changed();
  }

  function row(name, stop) {
    const own = element("li", { className: "upload" });
    const bar = element("progress", { max: 1, value: 0 });
    const button = element("button", { type: "button", className: "button quiet small", textContent: "Cancel" });
    bar.setAttribute("aria-label", `Upload of ${name}`);
    button.setAttribute("aria-label", `Cancel the upload of ${name}`);
    button.addEventListener("click", stop);
    own.append(element("span", { className: "truncate", textContent: name }), bar, button);
    place().querySelector("[data-uploads]").append(own);
    return { own, bar };
  }

  function wrongWith(file) {
    if (!file.type.startsWith("image/")) return `“${file.name}” is no image.`;
    const most = Number(place().dataset.most);
    if (file.size > most) return `“${file.name}” is larger than ${most / 1e6} MB, the most an image may have.`;
    return "";
  }

  function told(xhr) {
    if (xhr.getResponseHeader("HX-Redirect")) return "You are signed out. Sign in, then add it again.";
    const isPlain = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
    if (isPlain && xhr.responseText) return xhr.responseText;
    return WORDS[xhr.status] ?? "The studio does not answer. Check your connection and add it again.";
  }

  function upload(file) {
    const wrong = wrongWith(file);
    if (wrong) return say(wrong);
    const xhr = new XMLHttpRequest();
    const name = file.name.replace(/[[\]\\`<>*_|]+/g, " ") || "image";
    const text = `Uploading ${name} (${++n})…`;
    const { own, bar } = row(file.name, () => xhr.abort());
    const body = new FormData();
    body.append("image", file, file.name);
    pending.add(xhr);
    mark(text);
    xhr.upload.addEventListener("progress", (event) => event.lengthComputable && (bar.value = event.loaded / event.total));
    xhr.addEventListener("loadend", () => {
      pending.delete(xhr);
      own.remove();
      const isDone = xhr.status === 200 && !xhr.getResponseHeader("HX-Redirect");
      replace(text, isDone ? xhr.responseText : "");
      if (!isDone && !own.dataset.stopped) say(`${file.name}: ${told(xhr)}`);
      if (isDone) document.getElementById("live").textContent = `Added ${file.name}`;
    });
    xhr.addEventListener("abort", () => (own.dataset.stopped = "1"));
    xhr.open("POST", place().dataset.attach);
    xhr.setRequestHeader("HX-Request", "true");
    xhr.setRequestHeader("X-CSRFToken", JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]);
    xhr.send(body);
  }

  function choose() {
    const input = element("input", { type: "file", multiple: true, accept: "image/png,image/jpeg,image/gif,image/webp" });
    input.addEventListener("change", () => [...input.files].forEach(upload));
    input.click();
  }

  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

  document.addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    // Cells of a table come as a picture and as text: then the text is meant.
    if (event.target !== field() || !place() || !files.length || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    [...files].forEach(upload);
  });
  // Dropped beside the text, a file would take the place of the page.
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!hasFiles(event) || !place()) return;
      event.preventDefault();
      const isOver = event.target === field();
      event.dataTransfer.dropEffect = isOver ? "copy" : "none";
      field().classList.toggle("drop-here", isOver && kind === "dragover");
      if (kind === "drop" && isOver) [...event.dataTransfer.files].forEach(upload);
    });
  }
  document.addEventListener("dragleave", (event) => event.target === field() && field().classList.remove("drop-here"));
  document.addEventListener("click", (event) => event.target.closest("button[data-attach-open]") && choose());
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!pending.size || !event.detail.elt.matches("form[data-draft]")) return;
    event.preventDefault();
    say("Images are still on their way. Save when they are there, or cancel them.");
  });

  function attach() {
    for (const one of document.querySelectorAll("[data-attach-open]")) one.hidden = false;
  }
  document.addEventListener("htmx:load", attach);
  attach();
})();
