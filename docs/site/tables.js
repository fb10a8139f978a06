// Tables: one that is wider than its box is folded, each row into a list of its cells with the names of their columns.
function fold() {
  for (const table of document.querySelectorAll(".md-typeset table")) {
    const names = [...table.querySelectorAll("thead th")];
    if (names.length < 2 || !names.some((name) => name.textContent.trim())) continue;
    table.classList.remove("folded");
    const box = table.closest(".md-typeset__scrollwrap") ?? table.parentElement;
    if (box.scrollWidth <= box.clientWidth) continue;
    table.classList.add("folded");
    for (const row of table.querySelectorAll("tbody tr:not(:has(.column-name))")) {
      [...row.children].forEach((cell, k) => {
        const name = document.createElement("span");
        name.className = "column-name";
        name.append(...[...names[k].childNodes].map((node) => node.cloneNode(true)));
        const content = document.createElement("span");
        content.append(...cell.childNodes);
        cell.append(name, content);
      });
    }
  }
}

// The theme has put each table into its box by then, and `fit` of formulas.js has laid out the formulas.
document.addEventListener("DOMContentLoaded", () => document.fonts.ready.then(() => setTimeout(fold)));
addEventListener("resize", fold);
document.addEventListener("toggle", fold, true);
