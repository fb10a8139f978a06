// Run in each page by crawl.py: what a reader would stumble over, as plain data.
(async () => {
  await document.fonts.ready;
  const still = document.createElement("style"); // colours that are on their way to others are no colours to measure
  still.textContent = "* { transition: none !important; animation: none !important }";
  document.head.append(still);
  await new Promise((go) => requestAnimationFrame(() => setTimeout(go, 0)));
  const faults = [];
  const name = (element) => {
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${text}`;
  };

  for (const formula of document.querySelectorAll(".arithmatex")) {
    if (!formula.querySelector(".katex") || formula.querySelector(".katex-error")) {
      faults.push(`formula not rendered: ${formula.textContent.slice(0, 60)}`);
    }
  }

  // Width: nothing reaches beyond the window, unless it stands in a box that scrolls.
  const text = document.querySelector("article, main") ?? document.body;
  const boxed = (element) => {
    for (let outer = element.parentElement; outer && outer !== text; outer = outer.parentElement) {
      if (getComputedStyle(outer).overflowX !== "visible") return true;
    }
    return false;
  };
  const wide = document.documentElement.scrollWidth;
  const reaching = [...text.querySelectorAll("*")].find(
    (element) => element.getBoundingClientRect().right > innerWidth + 1 && element.checkVisibility() && !boxed(element),
  );
  if (reaching) faults.push(`reaches beyond the window: ${name(reaching)}`);
  else if (wide > innerWidth + 1) faults.push(`${wide} pixels wide in a window of ${innerWidth}`);

  // Lines of code fit into a wide window; tables fit everywhere, if need be folded.
  const scrolls = (box) => box.clientWidth > 0 && box.scrollWidth > box.clientWidth + 1;
  if (innerWidth > 1000) {
    const code = [...text.querySelectorAll("pre, pre code")].filter(scrolls);
    if (code.length) faults.push(`${code.length} blocks of code scroll sideways: ${name(code[0])}`);
  }
  const tables = [...text.querySelectorAll("table:not(.highlighttable)")].filter((table) => {
    const box = table.closest(".md-typeset__scrollwrap") ?? table.parentElement;
    return scrolls(box) || table.getBoundingClientRect().width > box.clientWidth + 1;
  });
  if (tables.length) faults.push(`${tables.length} tables scroll sideways: ${name(tables[0])}`);

  // Figures: dark ink on white is turned round where the page is dark.
  const dark = document.body.dataset.mdColorScheme === "slate";
  const figures = [...document.querySelectorAll("article img")].filter((image) => image.checkVisibility());
  const glaring = figures.filter((image) => getComputedStyle(image).filter.includes("invert") !== dark);
  if (glaring.length) faults.push(`${glaring.length} figures are not in the colours of the page: ${glaring[0].src}`);

  // Contrast, by the formula of WCAG 2, of every text against what lies behind it.
  const parse = (colour) => {
    const numbers = colour.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    const scale = colour.startsWith("color(srgb") ? 255 : 1;
    if (!/^(rgb|color\(srgb)/.test(colour)) faults.push(`colour not understood: ${colour}`);
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, k) => part * a + below[k] * (1 - a));
  const behind = new Map();
  const background = (element) => {
    if (!element) return parse(getComputedStyle(document.documentElement).colorScheme.startsWith("dark") ? "rgb(18,18,18)" : "rgb(255,255,255)");
    if (!behind.has(element)) {
      const style = getComputedStyle(element);
      const own = parse(style.backgroundColor);
      behind.set(element, own[3] === 1 ? own : over(own, background(element.parentElement)));
    }
    return behind.get(element);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const x = part / 255;
      return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  const pale = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (seen.has(element) || !node.data.trim() || element.closest("script, style, noscript, .katex-mathml, [hidden]")) continue;
    seen.add(element);
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const ground = background(element);
    const colour = parse(element.closest("svg") ? style.fill : style.color);
    colour[3] *= opacity(element);
    const [bright, dim] = [luminance(over(colour, ground)), luminance(ground)].sort((a, b) => b - a);
    const contrast = (bright + 0.05) / (dim + 0.05);
    if (contrast < 4.5) pale.add(`contrast ${contrast.toFixed(2)}: ${name(element)}`);
  }
  faults.push(...[...pale].slice(0, 8));

  return {
    faults,
    formulas: document.querySelectorAll(".arithmatex").length,
    anchors: [...document.querySelectorAll("[id], a[name]")].map((element) => element.id || element.name),
    links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
  };
})();
