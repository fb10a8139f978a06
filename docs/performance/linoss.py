"""Time a gradient of `LinOSS` against JAX's scans, which compute the same numbers, in turn, and the memory it takes.

    python docs/performance/linoss.py [--steps 16384] [--runs 5]      # some minutes; needs jax

Rows: the associative scan of 2 x 2 matrices as published (they are shared by a batch, only the forces have an axis for
it), that of eigenvalues, and JAX's ordinary scan.  Each is compiled with its products and its gradients of all
parameters and of the input, and runs in a process of its own.  Times are the least of all runs.
"""

import argparse
import multiprocessing
import time

import jax
import jax.numpy as jnp
import numpy as np

from ltc_np import LinOSS, Model

H, P, B = 64, 64, 4


def step_matrix(p):
    """M (P, 2, 2) and F / f (P, 2) of imex."""
    A, d = p["stiffness"], jnp.exp(p["log_step"])
    one = jnp.ones_like(A)
    return jnp.stack([one, -d * A, d, one - d * d * A], -1).reshape(-1, 2, 2), jnp.stack([d, d * d], -1)


def force(p, x):
    """(T, B, P) complex from x (B, T, H)."""
    return jnp.swapaxes(x @ (p["b_re"] + 1j * p["b_im"]), 0, 1)


def outputs(p, x, positions):
    """From positions (T, B, P)."""
    return (jnp.swapaxes(positions, 0, 1) @ (p["c_re"] + 1j * p["c_im"])).real + p["d"] * x


def associative(p, x):
    M, F = step_matrix(p)
    f = force(p, x)
    matrices = jnp.broadcast_to(M.reshape(-1, 4), (f.shape[0], P, 4))

    def after(first, second):
        a, b, c, d = jnp.moveaxis(first[0], -1, 0)
        e, g, h, i = jnp.moveaxis(second[0], -1, 0)
        z, at = first[1]
        m = jnp.stack([e * a + g * c, e * b + g * d, h * a + i * c, h * b + i * d], -1)
        return m, (e[:, None] * z + g[:, None] * at + second[1][0], h[:, None] * z + i[:, None] * at + second[1][1])

    _, (_, at) = jax.lax.associative_scan(after, (matrices, (F[:, 0] * f, F[:, 1] * f)))
    return outputs(p, x, at)


def of_eigenvalues(p, x):
    """Both copies of an oscillator are one complex mode each, lambda = exp(i theta)."""
    A, d, f = p["stiffness"], jnp.exp(p["log_step"]), force(p, x)
    cosine = 1 - d * d * A / 2
    sine = jnp.sqrt(1 - cosine**2)
    root = cosine + 1j * sine
    # After an impulse the position is d^2 sin(n theta) / sin(theta).
    weight = d * d * root
    forces = jnp.concatenate([f.real * weight, f.imag * weight], -1)
    roots = jnp.broadcast_to(jnp.concatenate([root, root]), (f.shape[0], 2 * P))

    def after(first, second):
        return second[0] * first[0], second[0][:, None] * first[1] + second[1]

    w = jax.lax.associative_scan(after, (roots, forces))[1].imag / jnp.concatenate([sine, sine])
    return outputs(p, x, w[..., :P] + 1j * w[..., P:])


def ordinary(p, x):
    A, d, f = p["stiffness"], jnp.exp(p["log_step"]), force(p, x)

    def step(state, now):
        z, at = state
        z = z + d * (now - A * at)
        at = at + d * z
        return (z, at), at

    zero = jnp.zeros_like(f[0])
    return outputs(p, x, jax.lax.scan(step, (zero, zero), f)[1])


def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def serve(way, steps, pipe):
    """A process of one of them: results of the first call, then the times of a call for each request."""
    rng = np.random.default_rng(0)
    x, weights = (rng.normal(size=(B, steps, H)).astype(np.float32) for _ in range(2))
    model = Model(LinOSS(H, P), input_dim=H, seed=0)

    def ours(x=x, weights=weights):
        y, tape = model.forward(x)
        g = model.backward(tape, weights)
        return {"y": y, "x": g.x, **model.views(g.theta)}

    def loss(p, x, weights):
        y = way(p, x)
        return (y * weights).sum(), y

    compiled = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
    p = {name: jnp.asarray(values) for name, values in model.effective.items()} if way else {}

    def theirs():
        (_, y), (d_p, d_x) = jax.block_until_ready(compiled(p, x, weights))
        return {"y": y, "x": d_x, **d_p}

    if way is None:
        ours(x[:, :600], weights[:, :600])  # kernels are there, and no array of the sequences' size
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    function = theirs if way else ours
    pipe.send(({name: np.asarray(values) for name, values in function().items()}, resident("VmHWM") - before))
    while pipe.recv():
        begin, busy = time.perf_counter(), time.process_time()
        function()
        pipe.send((time.perf_counter() - begin, time.process_time() - busy))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=16384)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    context, pipes, results = multiprocessing.get_context("spawn"), {}, {}
    for way in (None, associative, of_eigenvalues, ordinary):
        name = way.__name__ if way else "ltc_np"
        pipes[name], other = context.Pipe()
        context.Process(target=serve, args=(way, given.steps, other), daemon=True).start()
        results[name] = pipes[name].recv()
    own, grown = results["ltc_np"]
    print(f"T = {given.steps}, H = {H}, P = {P}, B = {B}; a call of ltc_np takes {grown:.0f} MiB")
    for name, (found, _) in results.items():
        error = max(np.abs(found[key] - own[key]).max() / np.abs(own[key]).max() for key in own)
        print(f"{name}: outputs and gradients differ by at most {error:.1e} of the largest number of their array")
    times = {name: [] for name in pipes}
    for _ in range(given.runs):
        for name, pipe in pipes.items():
            pipe.send(True)
            times[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    least = {name: np.min(each, axis=0) for name, each in times.items()}
    print("| | seconds | of processors | times ltc_np |\n|---|---|---|---|")
    for name, (wall, busy) in least.items():
        print(
            f"| {name} | {wall:.2f} | {busy:.2f} | {wall / least['ltc_np'][0]:.1f}, {busy / least['ltc_np'][1]:.1f} |"
        )


if __name__ == "__main__":
    main()
