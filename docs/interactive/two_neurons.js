// Two neurons that drive each other: their plane, the curves on which either stands still, and the way that they go.
"use strict";

// { own: input mapping and what no slider changes, sliders: values by id } of the networks to begin with.
const BEGINNINGS = {
  example: {
    own: {
      scale: 2, offset: 0.5, c: [1, 0.5], g: [0.5, 0.25], l: [0.2, -0.4],
      recurrent: [
        { pre: 0, post: 0, mu: 0.1, sigma: 9, E: 1 },
        { pre: 1, post: 0, mu: 0, sigma: 2, E: -1 },
        { pre: 0, post: 1, mu: 0.25, sigma: 4, E: 1 },
      ],
      sensory: [{ pre: 0, post: 0, w: 0.5, mu: 1, sigma: 4, E: 1 }],
    },
    sliders: { input: 0.5, itself: 0, back: 1, forth: 0.5, steep: 1 },
    start: [0.5, -0.5],
  },
  oscillator: {
    own: {
      scale: 1, offset: 0, c: [1, 1], g: [0.4, 0.4], l: [-0.3, -0.3],
      recurrent: [
        { pre: 0, post: 0, mu: 0.1, sigma: 9, E: 1 },
        { pre: 1, post: 0, mu: 0.2, sigma: 9, E: -1 },
        { pre: 0, post: 1, mu: 0.1, sigma: 9, E: 1 },
      ],
      sensory: [{ pre: 0, post: 0, w: 0.5, mu: 0.5, sigma: 4, E: 1 }],
    },
    sliders: { input: 0.5, itself: 3, back: 2.5, forth: 2, steep: 1 },
    start: [-0.6, 0.6],
  },
};
const LASTS = 40;
const GRID = 60;
const state = { name: "example", start: BEGINNINGS.example.start };

// The network of the present sliders, and its mapped input.
function present({ input, itself, back, forth, steep }) {
  const { own } = BEGINNINGS[state.name];
  const strengths = [itself, back, forth];
  const recurrent = own.recurrent.map((each, k) => ({ ...each, w: strengths[k], sigma: each.sigma * steep }));
  return { network: { ...own, recurrent }, x: [own.scale * input + own.offset] };
}

// Pieces of the curve on which neuron k stands still: where its slope changes sign in the cells of a grid.
function still(network, x, k) {
  const places = Array.from({ length: GRID + 1 }, (_, n) => -1 + 2 * n / GRID);
  const field = places.map((first) => places.map((second) => ltc.slopes(network, [first, second], x)[k]));
  const pieces = [];
  for (let i = 0; i < GRID; i++) {
    for (let j = 0; j < GRID; j++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      const crossings = [];
      corners.forEach(([a, b], n) => {
        const [p, q] = corners[(n + 1) % 4];
        const [here, there] = [field[a][b], field[p][q]];
        if (here < 0 !== there < 0) {
          const part = here / (here - there);
          crossings.push([places[a] + part * (places[p] - places[a]), places[b] + part * (places[q] - places[b])]);
        }
      });
      for (let n = 0; n + 1 < crossings.length; n += 2) {
        pieces.push([crossings[n], crossings[n + 1]]);
      }
    }
  }
  return pieces;
}

// Potentials from the start on, one pair for each time step.
function way(network, x, { solver, dt, unfolds }) {
  const found = [state.start];
  for (let k = 0; k < Math.round(LASTS / dt); k++) {
    found.push(ltc.step(network, solver, found[k], x, dt, unfolds));
  }
  return found;
}

function arrows(chart, network, x) {
  for (let i = 0; i < 14; i++) {
    for (let j = 0; j < 14; j++) {
      const place = [-0.93 + i * 0.143, -0.93 + j * 0.143];
      const [along, up] = ltc.slopes(network, place, x);
      const size = Math.hypot(along, up) || 1;
      const [a, b] = [0.045 * along / size, 0.045 * up / size];
      const tip = [place[0] + a, place[1] + b];
      chart.line([[place[0] - a, place[1] - b], tip], "faint", 1);
      chart.line([[tip[0] - 0.5 * a - 0.4 * b, tip[1] - 0.5 * b + 0.4 * a], tip,
        [tip[0] - 0.5 * a + 0.4 * b, tip[1] - 0.5 * b - 0.4 * a]], "faint", 1);
    }
  }
}

let plane = null;

function draw(values) {
  const { network, x } = present(values);
  const neuron = (k) => ({ from: -1, to: 1, label: `potential of neuron ${k}` });
  plane = new Chart(page.get("plane"), neuron(0), neuron(1));
  arrows(plane, network, x);
  shown.still = [still(network, x, 0), still(network, x, 1)];
  for (const [k, colour] of [[0, "blue"], [1, "red"]]) {
    for (const piece of shown.still[k]) {
      plane.inside(() => {
        plane.pen.strokeStyle = page.colour(colour);
        plane.pen.lineWidth = k ? 4 : 2;
        plane.stroke(piece.map(([first, second]) => plane.at(first, second)));
      });
    }
  }
  const found = way(network, x, values);
  shown.way = found;
  plane.line(found, "ink", 2);
  plane.dots(found.slice(1), "ink", 2);
  plane.dots([found[0]], "ink", 6);
  const time = new Chart(page.get("time"), { from: 0, to: LASTS, label: "time" }, { from: -1, to: 1, label: "potentials" });
  for (const [k, colour] of [[0, "blue"], [1, "red"]]) {
    time.line(found.map((v, n) => [n * values.dt, v[k]]), colour);
  }
  const last = found[found.length - 1];
  const moves = Math.hypot(...ltc.slopes(network, last, x)) > 1e-3;
  page.get("status").textContent = `From (${found[0].map((v) => page.text(v)).join(", ")}) to `
    + `(${last.map((v) => page.text(v)).join(", ")}) in ${LASTS} units of time; `
    + `there the equation ${moves ? "still moves" : "stands still"}.`;
}

const again = page.whenever(draw);

function begin(name) {
  state.name = name;
  state.start = BEGINNINGS[name].start;
  page.set(BEGINNINGS[name].sliders);
}

for (const name of Object.keys(BEGINNINGS)) {
  page.get(name).addEventListener("click", () => begin(name));
}

function start(first, second) {
  state.start = [first, second].map((v) => Math.min(1, Math.max(-1, v)));
  again();
}

const canvas = page.get("plane");
const point = (event) => {
  const box = canvas.getBoundingClientRect();
  start(...plane.place(event.clientX - box.left, event.clientY - box.top));
};
canvas.addEventListener("pointerdown", point);
canvas.addEventListener("pointermove", (event) => { if (event.buttons) { point(event); } });
canvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
  if (move) {
    event.preventDefault();
    start(state.start[0] + move[0], state.start[1] + move[1]);
  }
});
