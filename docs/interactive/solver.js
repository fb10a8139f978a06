// One unfold after another of v' = (P - Q v) / c with P and Q frozen: four solvers over r = h Q / c.
"use strict";

const LOOK = { exponential: "blue", semi_implicit: "red", euler: "green", rk4: "purple" };
const WIDEST = 5;

// Potentials after each unfold, with c = Q = 1, so that r is h.
function unfolds(solver, r, start, rest, count) {
  const at = () => ({ P: [rest], Q: [1] });
  const found = [start];
  for (let u = 0; u < count; u++) {
    found.push(ltc.unfold(solver, at, [1], [found[u]], r)[0]);
  }
  return found;
}

// What one unfold multiplies the distance to rest with.
function factor(solver, r) {
  return unfolds(solver, r, 1, 0, 1)[1];
}

page.whenever(({ r, count, start, rest }) => {
  const course = new Chart(
    page.get("course"), { from: 0, to: count * r, label: "time, in units of c/Q" }, { from: -2, to: 2, label: "potential v" },
  );
  const exact = Array.from({ length: 201 }, (_, k) => k * count * r / 200);
  course.line([[0, rest], [count * r, rest]], "faint", 1);
  course.line(exact.map((t) => [t, rest + (start - rest) * Math.exp(-t)]), "ink", 1);
  const factors = new Chart(
    page.get("factors"), { from: 0, to: WIDEST, label: "r = hQ/c" }, { from: -1.6, to: 1.6, label: "factor of one unfold" },
  );
  factors.band(1, 2, true);
  factors.band(-2, -1, true);
  factors.line([[0, 0], [WIDEST, 0]], "faint", 1);
  factors.line([[r, -2], [r, 2]], "ink", 1);
  const wanted = rest + (start - rest) * Math.exp(-count * r);
  shown.solvers = {};
  for (const [solver, colour] of Object.entries(LOOK)) {
    const found = unfolds(solver, r, start, rest, count);
    const points = found.map((v, u) => [u * r, v]);
    course.line(points, colour);
    course.dots(points, colour);
    const over = Array.from({ length: 201 }, (_, k) => k * WIDEST / 200);
    factors.line(over.map((each) => [each, factor(solver, each)]), colour);
    factors.dots([[r, factor(solver, r)]], colour);
    const numbers = { factor: factor(solver, r), last: found[count], error: Math.abs(found[count] - wanted) };
    shown.solvers[solver] = numbers;
    const row = page.get(solver).cells;
    row[1].textContent = page.text(numbers.factor, 4);
    row[2].textContent = page.text(numbers.last, 4);
    row[3].textContent = page.text(numbers.error, 4);
    row[4].textContent = Math.abs(numbers.factor) > 1 ? "yes" : "no";
  }
  page.get("status").textContent = `The exact potential after ${count} ${count === 1 ? "unfold" : "unfolds"} is `
    + `${page.text(wanted, 4)}; a distance to rest should be multiplied by ${page.text(Math.exp(-r), 4)} in each.`;
});
