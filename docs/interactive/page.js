// What the three pages share: sliders with their numbers, and charts on canvases in the colours of page.css.
"use strict";

// What tests and the curious may look at: numbers that a page draws.
const shown = {};

const DASHES = { blue: [], red: [7, 3], green: [2, 2], purple: [8, 3, 2, 3] };

const page = {
  get(id) {
    return document.getElementById(id);
  },

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },

  // A number with this many digits after the point, and a minus sign as long as a plus.
  text(value, digits = 2) {
    if (!Number.isFinite(value) || Math.abs(value) >= 1e6) {
      return "very large";
    }
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
  },

  // Values of all sliders and lists of choices by their id, read anew at each call.
  values() {
    const found = {};
    for (const input of document.querySelectorAll("input, select")) {
      found[input.id] = input.type === "range" ? Number(input.value) : input.value;
    }
    return found;
  },

  // Set sliders by their id, as a hand would.
  set(values) {
    for (const [id, value] of Object.entries(values)) {
      page.get(id).value = value;
      page.get(id).dispatchEvent(new Event("input", { bubbles: true }));
    }
  },

  // Draw now, and again whenever a slider, the window or the colours change; at most once a frame.
  whenever(draw) {
    let waits = false;
    const again = () => {
      if (!waits) {
        waits = true;
        requestAnimationFrame(() => { waits = false; draw(page.values()); });
      }
    };
    const digits = (step) => (String(step).split(".")[1] || "").length;
    for (const input of document.querySelectorAll("input[type=range]")) {
      const show = () => { page.get(`${input.id}-value`).textContent = page.text(Number(input.value), digits(input.step)); };
      input.addEventListener("input", show);
      show();
    }
    document.addEventListener("input", again);
    window.addEventListener("resize", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    draw(page.values());
    return again;
  },

  // About five round numbers from low to high.
  ticks(low, high) {
    const raw = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(raw));
    const size = power * [1, 2, 5, 10].find((each) => each * power >= raw);
    const found = [];
    for (let k = Math.ceil(low / size - 1e-9); k * size <= high + 1e-9 * size; k++) {
      found.push(Number((k * size).toPrecision(12)));
    }
    return found;
  },
};

// A chart on a canvas.  `x` and `y` are { from, to, label }, y may have { log: true, ticks }.
class Chart {
  constructor(canvas, x, y) {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    this.pen = canvas.getContext("2d");
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.pen.font = "13px system-ui, sans-serif";
    this.x = x;
    this.y = y;
    this.left = 52;
    this.right = width - 10;
    this.top = 26;
    this.bottom = height - 40;
    this.axes();
  }

  // Pixels of a place, and the place of pixels.
  at(x, y) {
    const up = this.y.log ? Math.log(y / this.y.from) / Math.log(this.y.to / this.y.from)
      : (y - this.y.from) / (this.y.to - this.y.from);
    const along = (x - this.x.from) / (this.x.to - this.x.from);
    return [this.left + along * (this.right - this.left), this.bottom - up * (this.bottom - this.top)];
  }

  place(left, top) {
    const along = (left - this.left) / (this.right - this.left);
    const up = (this.bottom - top) / (this.bottom - this.top);
    return [this.x.from + along * (this.x.to - this.x.from), this.y.from + up * (this.y.to - this.y.from)];
  }

  axes() {
    const { pen } = this;
    pen.strokeStyle = page.colour("shade");
    pen.fillStyle = page.colour("ink");
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const tick of this.y.ticks || page.ticks(this.y.from, this.y.to)) {
      const [, top] = this.at(this.x.from, tick);
      this.stroke([[this.left, top], [this.right, top]]);
      pen.fillText(String(tick).replace("-", "\u2212"), this.left - 6, top);
    }
    pen.textAlign = "center";
    for (const tick of page.ticks(this.x.from, this.x.to)) {
      const [left] = this.at(tick, this.y.from);
      this.stroke([[left, this.bottom], [left, this.top]]);
      pen.fillText(String(tick).replace("-", "\u2212"), left, this.bottom + 13);
    }
    pen.fillText(this.x.label, (this.left + this.right) / 2, this.bottom + 30);
    pen.textAlign = "left";
    pen.fillText(this.y.label, 4, 10);
    pen.strokeStyle = page.colour("faint");
    this.stroke([[this.left, this.top], [this.left, this.bottom], [this.right, this.bottom]]);
  }

  stroke(points) {
    this.pen.beginPath();
    points.forEach(([left, top], k) => (k ? this.pen.lineTo(left, top) : this.pen.moveTo(left, top)));
    this.pen.stroke();
  }

  // Draw by `how` with nothing outside of the axes.
  inside(how) {
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(this.left, this.top, this.right - this.left, this.bottom - this.top);
    this.pen.clip();
    how();
    this.pen.restore();
  }

  line(points, colour, width = 2, dashes = DASHES[colour] || []) {
    this.inside(() => {
      this.pen.strokeStyle = page.colour(colour);
      this.pen.lineWidth = width;
      this.pen.setLineDash(dashes);
      this.stroke(points.filter((each) => each.every(Number.isFinite)).map(([x, y]) => this.at(x, y)));
    });
  }

  dots(points, colour, radius = 4) {
    this.inside(() => {
      this.pen.fillStyle = page.colour(colour);
      for (const [x, y] of points.filter((each) => each.every(Number.isFinite))) {
        this.pen.beginPath();
        this.pen.arc(...this.at(x, y), radius, 0, 2 * Math.PI);
        this.pen.fill();
      }
    });
  }

  // A band of grey over x, or over y if `across`.
  band(from, to, across = false) {
    this.inside(() => {
      const corners = across ? [this.at(this.x.from, to), this.at(this.x.to, from)]
        : [this.at(from, this.y.to), this.at(to, this.y.from)];
      const [[left, top], [right, bottom]] = corners;
      this.pen.fillStyle = page.colour("shade");
      this.pen.globalAlpha = 0.6;
      this.pen.fillRect(left, top, right - left, bottom - top);
    });
  }
}
