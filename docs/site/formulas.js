// Formulas: arithmatex has left \(...\) and \[...\] in elements of their own.
document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".arithmatex")) {
    const written = element.textContent.trim();
    const display = written.startsWith("\\[");
    katex.render(written.slice(2, -2), element, { displayMode: display, throwOnError: true });
  }
});
