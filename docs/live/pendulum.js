// The pole on the cart: the plant and the network are WebAssembly, this file runs the clock and draws.
"use strict";

// How things look and how strongly a hand pushes; the plant's numbers are those of numbers.js.
const PUSH = 6; // N, of a button or key, which fades as in the network's training
const FADE = 0.9; // of a push in MEAN seconds
const PULL = 10; // N for each metre between the cart and the finger
const STRONGEST = 8; // N
const SLICE = 0.005; // s, the longest piece in which the plant moves

async function pendulumPage() {
  const size = numbers.cart_pole;
  const plant = await cart_pole.create();
  const network = await pendulum_network.create();
  const meanTime = page.slider("pendulum-time");
  const at = page.held(page.get("pendulum"));
  const told = page.get("pendulum-told");
  const view = { force: 0, push: 0, since: 0, lost: 0, falls: 0, next: 0, elapsed: size.MEAN, upright: 0 };

  function restart() {
    const spread = () => 2 * Math.random() - 1;
    plant.state.set([0.5 * spread(), 0, 0.1 * spread(), 0]);
    network.reset();
    Object.assign(view, { force: 0, push: 0, lost: 0, next: 0, elapsed: size.MEAN, upright: 0 });
  }

  // The network sees the cart and the pole; then its force stays until it sees them again.
  function sample() {
    const [place, , angle] = plant.state;
    const dt = told.checked ? view.elapsed / size.MEAN : 1;
    const [y] = network.step([place / size.SCALE_PLACE, angle / size.SCALE_ANGLE], dt);
    view.force = size.FORCE * Math.max(-1, Math.min(1, y));
    view.next = Math.min(size.LEAST + page.exponential(Math.max(0, meanTime() - size.LEAST)), size.MOST);
    view.elapsed = view.next;
  }

  // The force of the finger, if it is down, and of the last push.
  function hand(width) {
    const finger = at();
    if (finger === null) {
      return view.push;
    }
    const metres = (finger.x / width - 0.5) * 2 * (size.TRACK + 0.6) - plant.state[0];
    return view.push + Math.max(-STRONGEST, Math.min(STRONGEST, PULL * metres));
  }

  function advance(seconds, width) {
    for (let left = seconds; left > 1e-9;) {
      if (view.next <= 1e-9) {
        sample();
      }
      const piece = Math.min(left, view.next, SLICE);
      plant.move(view.force + hand(width), piece);
      view.push *= FADE ** (piece / size.MEAN);
      view.next -= piece;
      left -= piece;
      if (Math.abs(plant.state[2]) > size.FALLEN || Math.abs(plant.state[0]) > size.TRACK) {
        view.lost = 1;
        view.falls += 1;
        return;
      }
      view.upright += piece;
    }
  }

  function draw() {
    const { pen, width, height } = page.canvas(page.get("pendulum"));
    const metre = width / (2 * (size.TRACK + 0.6));
    const x = width / 2 + plant.state[0] * metre;
    const ground = height * 0.75;
    pen.strokeStyle = page.colour("faint");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, ground);
    pen.lineTo(width, ground);
    for (const end of [-size.TRACK, size.TRACK]) {
      pen.moveTo(width / 2 + end * metre, ground - 8);
      pen.lineTo(width / 2 + end * metre, ground + 8);
    }
    pen.stroke();
    pen.fillStyle = page.colour("cart");
    pen.fillRect(x - 0.22 * metre, ground - 0.12 * metre, 0.44 * metre, 0.24 * metre);
    pen.lineCap = "round";
    for (const [name, start, end, y, thickness] of [
      ["force", x, x + (view.force / size.FORCE) * metre, ground + 0.35 * metre, 4],
      ["faint", x, x + (hand(width) / size.FORCE) * metre, ground + 0.5 * metre, 4],
    ]) {
      pen.strokeStyle = page.colour(name);
      pen.lineWidth = thickness;
      pen.beginPath();
      pen.moveTo(start, y);
      pen.lineTo(end, y);
      pen.stroke();
    }
    pen.strokeStyle = page.colour("pole");
    pen.lineWidth = Math.max(4, 0.08 * metre);
    pen.beginPath();
    pen.moveTo(x, ground - 0.12 * metre);
    const length = 2 * size.HALF * metre;
    pen.lineTo(x + length * Math.sin(plant.state[2]), ground - 0.12 * metre - length * Math.cos(plant.state[2]));
    pen.stroke();
  }

  function drawNeurons() {
    const { pen, width, height } = page.canvas(page.get("neurons"));
    const bar = width / network.state.length;
    network.state.forEach((value, n) => {
      const kind = numbers.kinds[n];
      pen.fillStyle = page.colour(kind);
      const top = height / 2 - Math.max(-1, Math.min(1, value / 2)) * (height / 2 - 2);
      pen.fillRect(n * bar + 1, Math.min(top, height / 2), bar - 2, Math.max(1, Math.abs(top - height / 2)));
    });
  }

  let text = "";
  function say() {
    const degrees = (plant.state[2] * 180 / Math.PI).toFixed(0).replace("-0", "0").padStart(3);
    const seconds = Math.floor(view.upright);
    const fallen = view.falls === 1 ? "fell once" : `fell ${view.falls} times`;
    const now = view.lost ? `It fell; it starts again.` : `Upright for ${seconds} s, at ${degrees}°; ${fallen} so far.`;
    if (now !== text) {
      page.get("pendulum-status").textContent = text = now;
    }
  }

  page.get("push-left").addEventListener("click", () => { view.push -= PUSH; });
  page.get("push-right").addEventListener("click", () => { view.push += PUSH; });
  page.get("pendulum-again").addEventListener("click", restart);
  page.get("pendulum").addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way !== undefined) {
      view.push += way * PUSH;
      event.preventDefault();
    }
  });
  restart();
  page.everyFrame((seconds) => {
    if (view.lost) {
      view.lost += seconds;
      if (view.lost > 2.5) {
        restart();
      }
    } else {
      advance(seconds, page.get("pendulum").clientWidth);
    }
    draw();
    drawNeurons();
    say();
  });
  live.pendulum = { plant, network, view };
}

pendulumPage().catch(page.trouble);
