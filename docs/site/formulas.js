// Formulas: arithmatex has left \(...\) and \[...\] in elements of their own.
function fit() {
  // A formula in a line breaks at relations and operators; a piece that is wider than the text scrolls.
  for (const element of document.querySelectorAll("span.arithmatex")) {
    element.classList.remove("wide");
    const room = element.parentElement.clientWidth;
    const pieces = [...element.querySelectorAll(".katex-html > .base")];
    element.classList.toggle("wide", room > 0 && pieces.some((piece) => piece.getBoundingClientRect().width > room));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".arithmatex")) {
    const written = element.textContent.trim();
    const display = written.startsWith("\\[");
    katex.render(written.slice(2, -2), element, { displayMode: display, throwOnError: true });
  }
  document.fonts.ready.then(fit);
  addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true); // what stood in folded details has no width before
});
