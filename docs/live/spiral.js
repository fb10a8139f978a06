// The spiral: the network's answer is its next question; this file runs the clock and draws.
"use strict";

const TRAIL = 200; // points

async function spiralPage() {
  const size = numbers.spiral;
  const network = await spiral_network.create();
  const meanTime = page.slider("spiral-time");
  const irregular = page.get("spiral-irregular");
  const at = page.held(page.get("spiral"));
  const view = { point: [0.05, 0], from: [0.05, 0], since: 0, next: 0, trail: [], turned: 0 };

  // Where the exact solution is `seconds` after `from`.
  function exact(from, seconds) {
    const square = from[0] ** 2 + from[1] ** 2;
    const growth = Math.exp(2 * size.GROWTH * seconds);
    const scale = Math.sqrt(growth / (1 + square * (growth - 1)));
    const angle = 2 * Math.PI * seconds / size.TURN;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return [scale * (cos * from[0] - sin * from[1]), scale * (sin * from[0] + cos * from[1])];
  }

  function put(point) {
    const r = Math.hypot(...point);
    view.point = r > 1.3 ? point.map((value) => value * 1.3 / r) : point;
    Object.assign(view, { from: view.point, since: 0, next: 0, trail: [view.point], turned: 0 });
  }

  function step() {
    const mean = meanTime();
    const seconds = irregular.checked ? mean * (0.5 + Math.random()) : mean;
    const dt = Math.max(size.SHORTEST, Math.min(size.LONGEST, seconds));
    const [[x, y], next] = [view.point, Array.from(network.step(view.point, dt / size.UNIT))];
    view.turned += Math.atan2(x * next[1] - y * next[0], x * next[0] + y * next[1]) / (2 * Math.PI);
    view.point = next;
    view.since += dt;
    view.next += dt;
    view.trail.push(view.point);
    view.trail.splice(0, view.trail.length - TRAIL);
  }

  function place(finger, element) {
    const unit = element.clientWidth / 2.8;
    return [(finger.x - element.clientWidth / 2) / unit, (element.clientHeight / 2 - finger.y) / unit];
  }

  function draw() {
    const { pen, width, height } = page.canvas(page.get("spiral"));
    const unit = width / 2.8;
    const to = ([x, y]) => [width / 2 + x * unit, height / 2 - y * unit];
    const line = (points, colour, thickness) => {
      pen.strokeStyle = page.colour(colour);
      pen.lineWidth = thickness;
      pen.beginPath();
      points.forEach((point, k) => (k === 0 ? pen.moveTo(...to(point)) : pen.lineTo(...to(point))));
      pen.stroke();
    };
    const shown = Math.min(view.since, 8);
    const times = Array.from({ length: 161 }, (_, k) => view.since - shown + (shown * k) / 160);
    line(times.map((seconds) => exact(view.from, seconds)), "faint", 1);
    line(view.trail, "cart", 2);
    pen.fillStyle = page.colour("pole");
    pen.beginPath();
    pen.arc(...to(view.point), 9, 0, 2 * Math.PI);
    pen.fill();
  }

  let text = "";
  function say() {
    const r = Math.hypot(...view.point).toFixed(2);
    const [own, exactly] = [view.turned, view.since / size.TURN].map((turns) => turns.toFixed(1));
    const now = `Distance from the middle ${r}; turned ${own} times, the exact solution ${exactly} times.`;
    if (now !== text) {
      page.get("spiral-status").textContent = text = now;
    }
  }

  page.get("shake").addEventListener("click", () => {
    network.state.forEach((value, n) => { network.state[n] = value + Math.random() - 0.5; });
  });
  page.get("spiral-again").addEventListener("click", () => {
    network.reset();
    put([0.05, 0]);
  });
  page.get("spiral").addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (way !== undefined) {
      put([view.point[0] + way[0], view.point[1] + way[1]]);
      event.preventDefault();
    }
  });
  put([0.05, 0]);
  page.everyFrame((seconds) => {
    const finger = at();
    if (finger !== null) {
      put(place(finger, page.get("spiral")));
    } else {
      view.next -= seconds;
      while (view.next <= 0) {
        step();
      }
    }
    draw();
    say();
  });
  live.spiral = { network, view };
}

spiralPage().catch(page.trouble);
