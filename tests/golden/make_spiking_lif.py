"""Write spiking_lif.npz: outputs, states and surrogate gradients of two other implementations, in float64.

Cases ``snntorch_*`` are snntorch.Leaky (version 1.0.0), with beta = exp(-dt / tau) and inputs times 1 - beta, and with
``reset_delay=False``, which resets a neuron in the step of its spike, as here.  Cases ``loop_*`` are a plain PyTorch
loop with an autograd function of its own, for what snnTorch has not: refractory times, irregular time, another reset
potential.  Run it with an environment that has both; the tests need only the file::

    pip install torch snntorch
    python tests/golden/make_spiking_lif.py

The keys are ``<case>/<name>``; N units, I inputs, B sequences of T steps:

options
    JSON: the arguments of SpikingLIF.
w_x (I, N), w_h (N, N) if recurrent, b, tau (N,)
    tau as used, positive.
x (B, T, I), dt (B, T) or one number, h0 (B, K), y (B, T, N), hT (B, K)
    K: v, then rest with a refractory time, then spikes if recurrent.
c (B, T, N), d (B, K)
    loss = sum(y * c) + sum(hT * d).
d_<name>
    Gradient of the loss with respect to each parameter, to x, dt and h0.  In the loop a step with dt = 0 is skipped, so
    that the gradient with respect to that dt is 0.
margin
    The least distance of a potential from the threshold: below it roundings change no spike.
"""

import json
from pathlib import Path

import numpy as np
import snntorch
import torch

# snnTorch casts spikes, and with them their gradients, to float32 by `.float()`.
torch.Tensor.float = torch.Tensor.double

SNNTORCH_SURROGATES = {
    "fast_sigmoid": lambda slope: snntorch.surrogate.fast_sigmoid(slope=slope),
    "arctan": lambda slope: snntorch.surrogate.atan(alpha=slope),
}


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, surrogate, slope):
        ctx.save_for_backward(u)
        ctx.kind = surrogate, slope
        return (u >= 0).to(u)

    @staticmethod
    def backward(ctx, d_s):
        (u,) = ctx.saved_tensors
        surrogate, slope = ctx.kind
        if surrogate == "arctan":
            return d_s * slope / (2 + 2 * (np.pi / 2 * slope * u) ** 2), None, None
        return d_s / (slope * u.abs() + 1) ** 2, None, None


def with_snntorch(p, inputs, options, recurrent):
    """One neuron layer of snnTorch; dt is one number.  Returns y, the final state and all potentials at the test."""
    dt = inputs["dt"]
    beta = torch.exp(-dt[0, 0] / p["tau"])
    reset = "subtract" if options.get("reset") == "subtract" else "zero"
    leaky = snntorch.Leaky(
        beta=1.0,
        threshold=options.get("threshold", 1.0),
        spike_grad=SNNTORCH_SURROGATES[options.get("surrogate", "fast_sigmoid")](options["slope"]),
        reset_mechanism=reset,
        reset_delay=False,
    )
    del leaky.beta  # a buffer, without a gradient
    leaky.beta = beta
    N = beta.numel()
    v, spikes = inputs["h0"][:, :N], inputs["h0"][:, N:]
    y, potentials = [], []
    for t in range(dt.shape[1]):
        current = inputs["x"][:, t] @ p["w_x"] + p["b"]
        if recurrent:
            current = current + spikes @ p["w_h"]
        assert (v <= leaky.threshold).all()  # else snnTorch resets a second time
        potentials.append((beta * v + (1 - beta) * current).detach())
        spikes, v = leaky((1 - beta) * current, v)
        y.append(spikes)
    return torch.stack(y, 1), [v, spikes][: 1 + recurrent], potentials


def with_a_loop(p, inputs, options, recurrent):
    """The neurons by their equations; dt is (B, T)."""
    threshold, reset = options.get("threshold", 1.0), options.get("reset", 0.0)
    refractory, N = options.get("refractory", 0.0), p["tau"].numel()
    v, *more = inputs["h0"].split(N, 1)
    waiting = more.pop(0) if refractory else torch.zeros_like(v)
    spikes = more.pop(0) if recurrent else torch.zeros_like(v)
    y, potentials = [], []
    for t in range(inputs["dt"].shape[1]):
        dt = inputs["dt"][:, t, None]
        current = inputs["x"][:, t] @ p["w_x"] + p["b"]
        if recurrent:
            current = current + spikes @ p["w_h"]
        time = torch.clamp(dt - waiting, min=0)
        remaining = torch.where(dt > 0, torch.relu(waiting - dt), waiting)
        decay = torch.exp(-time / p["tau"])
        v = torch.where(dt > 0, decay * v + (1 - decay) * current, v)
        potentials.append(torch.where(time > 0, v, torch.inf).detach())
        s = torch.where(
            time > 0, Spike.apply(v - threshold, options.get("surrogate", "fast_sigmoid"), options["slope"]), 0
        )
        v = v - s * threshold if reset == "subtract" else v + s * (reset - v)
        waiting = remaining + s * (refractory - remaining)
        spikes = torch.where(dt > 0, s, spikes)
        y.append(s)
    state = [v] + [waiting] * (refractory > 0) + [spikes] * recurrent
    return torch.stack(y, 1), state, potentials


def make_case(seed, N, I, B, T, run, dt=None, strength=3.0, **options):
    rng = np.random.default_rng(seed)
    recurrent, refractory = options.get("recurrent", False), options.get("refractory", 0.0)
    p = {"w_x": rng.normal(0, strength, (I, N)), "b": rng.normal(0.5, 0.5, N), "tau": rng.uniform(1, 6, N)}
    if recurrent:
        p["w_h"] = rng.normal(0, strength, (N, N))
    # No time where a refractory time is left: relu has no derivative at 0.
    irregular = rng.choice([0.0, 0.25, 0.7, 1.9, 5.0], (B, T)) * rng.uniform(0.9, 1.1, (B, T))
    state = [rng.uniform(-0.5, 0.5, (B, N))]
    state += [rng.uniform(0.1, 1, (B, N))] * (refractory > 0) + [rng.integers(0, 2, (B, N)) + 0.0] * recurrent
    inputs = {
        "x": rng.normal(size=(B, T, I)),
        "dt": irregular if dt is None else np.full((B, T), dt),
        "h0": np.concatenate(state, 1),
    }
    given = {name: torch.tensor(value, requires_grad=True) for name, value in (p | inputs).items()}
    y, state, potentials = run(given, given, options, recurrent)
    hT = torch.cat(state, 1)
    factors = {"c": rng.normal(size=y.shape), "d": rng.normal(size=hT.shape)}
    ((y * torch.tensor(factors["c"])).sum() + (hT * torch.tensor(factors["d"])).sum()).backward()
    margin = min((u - options.get("threshold", 1.0)).abs().min().item() for u in potentials)
    rate = y.mean().item()
    assert margin > 1e-5, margin
    assert 0.04 < rate < 0.6, rate
    found = {name: value.detach().numpy() for name, value in given.items()} | factors
    found |= {"y": y.detach().numpy(), "hT": hT.detach().numpy(), "margin": margin, "options": json.dumps(options)}
    found |= {f"d_{name}": value.grad.numpy() for name, value in given.items()}
    if run is with_snntorch:  # dt as one number
        found |= {"dt": np.float64(dt), "d_dt": found["d_dt"].sum()}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    snn, loop = with_snntorch, with_a_loop
    cases = {
        "snntorch_plain": make_case(1, 5, 2, 3, 4, snn, dt=1.0, slope=5.0),
        "snntorch_arctan": make_case(2, 4, 3, 3, 20, snn, dt=0.5, surrogate="arctan", slope=2.0, threshold=1.25),
        "snntorch_subtract": make_case(17, 5, 2, 3, 20, snn, dt=0.4, strength=2.0, reset="subtract", slope=3.0),
        "snntorch_recurrent": make_case(4, 6, 2, 3, 15, snn, dt=0.7, recurrent=True, slope=4.0),
        "loop_irregular": make_case(5, 5, 2, 3, 12, loop, slope=5.0, reset=-0.4),
        "loop_refractory": make_case(6, 5, 2, 3, 30, loop, slope=4.0, refractory=1.6),
        "loop_everything": make_case(
            7,
            4,
            2,
            4,
            25,
            loop,
            recurrent=True,
            refractory=0.9,
            reset="subtract",
            surrogate="arctan",
            slope=1.5,
            threshold=0.8,
        ),
    }
    path = Path(__file__).with_name("spiking_lif.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    for case, g in cases.items():
        print(f"{case}: rate {g['y'].mean():.2f}, margin {g['margin']:.1e}")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
