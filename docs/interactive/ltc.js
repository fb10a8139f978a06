// The LTC of docs/maths/ltc.md and its four solvers, as plain functions of arrays.
//
// A network is { c, g, l, recurrent, sensory }: capacity, leak conductance and leak potential of each neuron, and lists
// of synapses { pre, post, w, mu, sigma, E }.  tests/docs/test_interactive.py compares every function with Python.
"use strict";

const SOLVERS = ["semi_implicit", "euler", "rk4", "exponential"];

const ltc = {
  sigmoid(z) {
    return 1 / (1 + Math.exp(-z));
  },

  // P and Q of every neuron: the current at potential 0, and the conductance.
  sums(network, v, x) {
    const P = network.g.map((g, i) => g * network.l[i]);
    const Q = Array.from(network.g);
    for (const [synapses, source] of [[network.recurrent, v], [network.sensory, x]]) {
      for (const { pre, post, w, mu, sigma, E } of synapses) {
        const a = w * ltc.sigmoid(sigma * (source[pre] - mu));
        P[post] += a * E;
        Q[post] += a;
      }
    }
    return { P, Q };
  },

  // dv/dt of every neuron.
  slopes(network, v, x) {
    const { P, Q } = ltc.sums(network, v, x);
    return v.map((own, i) => (P[i] - Q[i] * own) / network.c[i]);
  },

  // The part of the way from b to rest, P/Q, that an exponential goes in the time h, times 1/Q.
  rate(h, c, Q) {
    return Q === 0 ? h / c : -Math.expm1(-h * Q / c) / Q;
  },

  // Potentials after one unfold of length h; `at(v)` gives P and Q at potentials v.
  unfold(solver, at, c, v, h) {
    const { P, Q } = at(v);
    if (solver === "semi_implicit") {
      return v.map((own, i) => own + h * (P[i] - Q[i] * own) / (c[i] + h * Q[i]));
    }
    if (solver === "euler") {
      return v.map((own, i) => own + h * (P[i] - Q[i] * own) / c[i]);
    }
    if (solver === "exponential") {
      const middle = v.map((own, i) => own + ltc.rate(h / 2, c[i], Q[i]) * (P[i] - Q[i] * own));
      const half = at(middle);
      return v.map((own, i) => own + ltc.rate(h, c[i], half.Q[i]) * (half.P[i] - half.Q[i] * own));
    }
    const rise = (at_v, place) => place.map((own, i) => h * (at_v.P[i] - at_v.Q[i] * own) / c[i]);
    const moved = (part, by) => v.map((own, i) => own + part * by[i]);
    const first = rise({ P, Q }, v);
    const places = [moved(1 / 2, first)];
    const second = rise(at(places[0]), places[0]);
    places.push(moved(1 / 2, second));
    const third = rise(at(places[1]), places[1]);
    places.push(moved(1, third));
    const fourth = rise(at(places[2]), places[2]);
    return v.map((own, i) => own + (first[i] + 2 * second[i] + 2 * third[i] + fourth[i]) / 6);
  },

  // Potentials after one time step of length dt, with the input held.
  step(network, solver, v, x, dt, unfolds) {
    for (let u = 0; u < unfolds; u++) {
      v = ltc.unfold(solver, (place) => ltc.sums(network, place, x), network.c, v, dt / unfolds);
    }
    return v;
  },
};
