// One neuron with one synapse from an input that comes as a pulse: its potential and its time constant over time.
"use strict";

const LASTS = 30;
const STEP = 0.05;
const BEGINS = 5;

// { t, v, tau } after every step; each step is solved exactly, since nothing but the input changes the conductance.
function course({ input, length, c, g, l, w, mu, sigma, E }) {
  const network = { c: [c], g: [g], l: [l], recurrent: [], sensory: [{ pre: 0, post: 0, w, mu, sigma, E }] };
  const found = { t: [], v: [], tau: [] };
  let v = [ltc.sums(network, [0], [0]).P[0] / ltc.sums(network, [0], [0]).Q[0]]; // at rest
  for (let k = 1; k <= Math.round(LASTS / STEP); k++) {
    const t = k * STEP;
    const x = [t > BEGINS + STEP / 2 && t < BEGINS + length + STEP / 2 ? input : 0];
    v = ltc.step(network, "exponential", v, x, STEP, 1);
    found.t.push(t);
    found.v.push(v[0]);
    found.tau.push(c / ltc.sums(network, v, x).Q[0]);
  }
  return found;
}

page.whenever((values) => {
  const found = course(values);
  shown.course = found;
  const time = { from: 0, to: LASTS, label: "time" };
  const along = (numbers) => numbers.map((value, k) => [found.t[k], value]);
  const above = new Chart(page.get("potential"), time, { from: -1, to: 1, label: "potential v" });
  above.band(BEGINS, BEGINS + values.length);
  above.line(along(found.v), "blue");
  const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20];
  const below = new Chart(page.get("tau"), time, { from: 0.08, to: 40, log: true, ticks, label: "time constant τ" });
  below.band(BEGINS, BEGINS + values.length);
  below.line([[0, values.c / values.g], [LASTS, values.c / values.g]], "faint", 1);
  const least = values.c / (values.g + values.w);
  below.line([[0, least], [LASTS, least]], "faint", 1);
  below.line(along(found.tau), "red", 2, []);
  const middle = Math.round((BEGINS + values.length / 2) / STEP);
  page.get("status").textContent = `The time constant is ${page.text(found.tau[0])} before the pulse and `
    + `${page.text(found.tau[middle])} during it; it can lie between ${page.text(least)} and `
    + `${page.text(values.c / values.g)}. At the end of the pulse the potential is `
    + `${page.text(found.v[Math.round((BEGINS + values.length) / STEP) - 1])}.`;
});
