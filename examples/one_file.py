"""Two liquid networks in one file: an LTC and a CfC, forward and backward by hand, Adam, and the spiral task.

Nothing but NumPy is imported.  The file is made to be read from top to bottom, beside docs/tutorial.md, which explains
the equations.  It shows what ltc_np does; ltc_np does the same faster, for more cells and with checks of what it is
given.  A test compares outputs and gradients of this file with those of ltc_np.  Unlike in the tutorial's network,
synapses have no fixed gains, and a last layer makes the outputs from all states, so that they may be of any size.

    python examples/one_file.py               # trains both networks: 3 s on one core
    python examples/one_file.py --epochs 20   # fewer passes over the data

Names of sizes: B sequences, T time steps, I inputs, N neurons, H features of the CfC, O outputs.  `p` is a dictionary
of parameters.  `d_something` is the derivative of the loss with respect to `something`, and has the same shape.  Each
function is followed by its backward: the derivative of its results is given, and that of its arguments comes back.
"""

import argparse
import time

import numpy as np

UNFOLDS = 6  # solver steps of the LTC in one time step


def sigmoid(z):
    """1 / (1 + exp(-z)), written with tanh, which cannot overflow.  Its derivative is s * (1 - s)."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def softplus(z):
    """ln(1 + exp(z)): a positive number from any number.  Its derivative is sigmoid(z)."""
    return np.logaddexp(0, z)


# ------------------------------------------------------------------------------------------------------------ the LTC
# The potential v of a neuron follows  cm dv/dt = gleak (vleak - v) + sum over its synapses of a (erev - v).
# With P = gleak vleak + sum of a erev  and  Q = gleak + sum of a  this is  cm dv/dt = P - Q v.


def ltc_parameters(rng, I, N):
    """Random initial parameters, in the original tutorial's ranges; cm, gleak and w are those before softplus.

    Row j, column i belongs to the synapse from source j to neuron i.
    """
    p = {"gleak": rng.uniform(0.001, 1, N), "vleak": rng.uniform(-0.2, 0.2, N), "cm": rng.uniform(0.4, 0.6, N)}
    for kind, sources in (("", N), ("sensory_", I)):  # synapses from neurons, synapses from inputs
        p[kind + "w"] = rng.uniform(0.001, 1, (sources, N))  # strength
        p[kind + "mu"] = rng.uniform(0.3, 0.8, (sources, N))  # the source's value at which the synapse is half open
        p[kind + "sigma"] = rng.uniform(3, 8, (sources, N))  # how steeply it opens
        p[kind + "erev"] = rng.uniform(-0.2, 0.2, (sources, N))  # the potential towards which it pulls
    return p


def synapses(p, kind, source):
    """How far each synapse is open, (B, sources, N), for values (B, sources) of the sources."""
    s = sigmoid(p[kind + "sigma"] * (source[:, :, None] - p[kind + "mu"]))  # None: the same value for every neuron
    return softplus(p[kind + "w"]) * s, s  # a strength is a parameter made positive; s is kept for the backward pass


def d_synapses(p, kind, source, a, s, d_P, d_Q, d_p):
    """Backward of `synapses`, and of the sums P and Q that its result a goes into.  Returns d_source."""
    d_a = d_P[:, None, :] * p[kind + "erev"] + d_Q[:, None, :]  # a is in P with the factor erev, in Q with 1
    d_p[kind + "erev"] += (a * d_P[:, None, :]).sum(axis=0)  # every sequence uses the same parameters: a sum over B
    d_p[kind + "w"] += (d_a * s).sum(axis=0) * sigmoid(p[kind + "w"])  # sigmoid: the derivative of softplus
    d_z = d_a * a * (1 - s)  # z = sigma * (source - mu); its s has the derivative s * (1 - s), and a = strength * s
    d_p[kind + "sigma"] += (d_z * (source[:, :, None] - p[kind + "mu"])).sum(axis=0)
    d_p[kind + "mu"] -= (d_z * p[kind + "sigma"]).sum(axis=0)
    return (d_z * p[kind + "sigma"]).sum(axis=2)  # a source has a synapse to every neuron: a sum over N


def ltc_step(p, x, v, dt):
    """Potentials v (B, N) after the elapsed time dt (B, 1), with constant inputs x (B, I); and what backward needs."""
    cm, gleak, h = softplus(p["cm"]), softplus(p["gleak"]), dt / UNFOLDS  # h: the length of one solver step
    b, b_s = synapses(p, "sensory_", x)  # the inputs are constant, so that this is computed once
    unfolds = []
    for _ in range(UNFOLDS):
        a, a_s = synapses(p, "", v)  # the conductances at the old potentials
        P = gleak * p["vleak"] + (a * p["erev"]).sum(axis=1) + (b * p["sensory_erev"]).sum(axis=1)  # what drives v
        Q = gleak + a.sum(axis=1) + b.sum(axis=1)  # how much is open in all; both are sums over sources, (B, N)
        v_new = v + h * (P - Q * v) / (cm + h * Q)  # solves  cm (v_new - v) / h = P - Q v_new
        unfolds.append((v, v_new, a, a_s, Q))
        v = v_new
    return v, (x, h, b, b_s, unfolds)


def d_ltc_step(p, kept, d_v, d_p):
    """Backward of `ltc_step`: adds to d_p and returns the derivative with respect to the potentials before it."""
    x, h, b, b_s, unfolds = kept
    cm, gleak = softplus(p["cm"]), softplus(p["gleak"])
    total_P, total_Q = np.zeros_like(d_v), np.zeros_like(d_v)  # the inputs' synapses are in P and Q of every unfold
    for v, v_new, a, a_s, Q in reversed(unfolds):  # the last unfold comes first
        share = d_v / (cm + h * Q)  # v_new = (cm v + h P) / (cm + h Q): every derivative has this denominator
        d_P, d_Q = share * h, -share * h * v_new  # P is in the numerator only, Q in the denominator only
        d_p["cm"] += (share * (v - v_new)).sum(axis=0) * sigmoid(p["cm"])  # cm is in both
        d_p["gleak"] += (d_P * p["vleak"] + d_Q).sum(axis=0) * sigmoid(p["gleak"])  # gleak is in P and in Q
        d_p["vleak"] += (d_P * gleak).sum(axis=0)
        d_v = share * cm + d_synapses(p, "", v, a, a_s, d_P, d_Q, d_p)  # v acts directly and through the synapses
        total_P, total_Q = total_P + d_P, total_Q + d_Q
    d_synapses(p, "sensory_", x, b, b_s, total_P, total_Q, d_p)  # its result, d_x, is not needed: x is data
    return d_v


# ------------------------------------------------------------------------------------------------------------ the CfC
# A closed-form continuous-time network solves no differential equation.  A layer of H features reads the input and the
# state h.  From these features come two values, g1 and g2, and a gate s, which moves between them as dt grows:
#     h_new = (1 - s) g1 + s g2   with   s = sigmoid(time_a dt + time_b)

HEADS = ("ff1", "ff2", "time_a", "time_b")  # four layers that read the features, for g1, g2 and s


def cfc_parameters(rng, I, N, H=32):
    """Random initial parameters, the weights by Glorot's rule: the more rows are added up, the smaller they are."""
    p = {}
    for name, rows, columns in (("backbone", I + N, H), *((head, H, N) for head in HEADS)):
        p[name + "_w"] = rng.uniform(-1, 1, (rows, columns)) * np.sqrt(6 / (rows + columns))
        p[name + "_b"] = rng.uniform(-1, 1, columns) * np.sqrt(1 / rows)
    return p


def cfc_step(p, x, h, dt):
    """The state h (B, N) after the elapsed time dt (B, 1) with the inputs x (B, I); and what backward needs."""
    z = np.concatenate([x, h], axis=1)  # (B, I + N)
    u = np.tanh(z @ p["backbone_w"] + p["backbone_b"])  # the features (B, H)
    f1, f2, time_a, time_b = (u @ p[head + "_w"] + p[head + "_b"] for head in HEADS)
    g1, g2, s = np.tanh(f1), np.tanh(f2), sigmoid(time_a * dt + time_b)  # (B, N) each; s lies between 0 and 1
    return (1 - s) * g1 + s * g2, (z, u, g1, g2, s, dt)


def d_cfc_step(p, kept, d_h, d_p):
    """Backward of `cfc_step`: adds to d_p and returns the derivative with respect to the state before it."""
    z, u, g1, g2, s, dt = kept
    d_time_b = d_h * (g2 - g1) * s * (1 - s)  # through the gate; time_b is added to its argument as it is
    d_f1, d_f2 = d_h * (1 - s) * (1 - g1**2), d_h * s * (1 - g2**2)  # tanh has the derivative 1 - tanh**2
    d_u = np.zeros_like(u)
    for head, d_f in zip(HEADS, (d_f1, d_f2, d_time_b * dt, d_time_b), strict=True):  # time_a has the factor dt
        d_p[head + "_w"] += u.T @ d_f  # of a product u @ w: for each weight a sum over the B sequences
        d_p[head + "_b"] += d_f.sum(axis=0)
        d_u += d_f @ p[head + "_w"].T  # all four heads read the same features: a sum
    d_sum = d_u * (1 - u**2)  # what tanh was applied to
    d_p["backbone_w"] += z.T @ d_sum
    d_p["backbone_b"] += d_sum.sum(axis=0)
    return (d_sum @ p["backbone_w"].T)[:, -d_h.shape[1] :]  # of z, the last N columns of which are the state


# ------------------------------------------------------------------------------------- a sequence, with either of them

CELLS = {"LTC": (ltc_parameters, ltc_step, d_ltc_step), "CfC": (cfc_parameters, cfc_step, d_cfc_step)}


def parameters(cell, rng, I, N, O):
    """Those of the cell, and a layer that makes O outputs from the state."""
    p = CELLS[cell][0](rng, I, N)
    return p | {"out_w": rng.uniform(-1, 1, (N, O)) * np.sqrt(6 / (N + O)), "out_b": np.zeros(O)}


def forward(cell, p, x, dt):
    """Outputs (B, T, O) of sequences x (B, T, I) with elapsed times dt (B, T); and what the backward pass needs."""
    step, states, keeps = CELLS[cell][1], [], []
    state = np.zeros((x.shape[0], p["out_w"].shape[0]))  # a sequence begins with zeros
    for t in range(x.shape[1]):
        state, kept = step(p, x[:, t], state, dt[:, t, None])
        states.append(state)
        keeps.append(kept)
    states = np.stack(states, axis=1)  # (B, T, N)
    return states @ p["out_w"] + p["out_b"], (states, keeps)


def backward(cell, p, tape, d_y):
    """The derivative with respect to every parameter, from the outputs' d_y (B, T, O); `tape`: what `forward` kept."""
    (states, keeps), d_step = tape, CELLS[cell][2]
    d_p = {name: np.zeros_like(value) for name, value in p.items()}
    d_p["out_w"] = np.einsum("btn,bto->no", states, d_y)  # a sum over all sequences and all steps
    d_p["out_b"] = d_y.sum(axis=(0, 1))
    d_states = d_y @ p["out_w"].T
    d_state = np.zeros_like(states[:, 0])  # no step follows the last one
    for t in reversed(range(len(keeps))):  # a state acts on its own output and, through the next step, on later ones
        d_state = d_step(p, keeps[t], d_states[:, t] + d_state, d_p)
    return d_p


# ---------------------------------------------------------------------------------------------------------- training


class Adam:
    """Moves every parameter against its derivative, by about the learning rate whatever the derivative's size."""

    def __init__(self, p):
        self.mean = {name: np.zeros_like(value) for name, value in p.items()}  # running mean of the derivative
        self.square = {name: np.zeros_like(value) for name, value in p.items()}  # and of its square
        self.count = 0

    def step(self, p, d_p, rate):
        self.count += 1
        for name in p:
            self.mean[name] += 0.1 * (d_p[name] - self.mean[name])  # 0.1 = 1 - 0.9
            self.square[name] += 0.001 * (d_p[name] ** 2 - self.square[name])  # 0.001 = 1 - 0.999
            mean = self.mean[name] / (1 - 0.9**self.count)  # both began with 0; this division makes up for it
            square = self.square[name] / (1 - 0.999**self.count)
            p[name] -= rate * mean / (np.sqrt(square) + 1e-8)  # 1e-8: never a division by 0


def spiral(rng, points=500, turns=3):
    """Points (500, 2) on a spiral from the centre to radius 1, with a little noise, drawn for all x, then for all y."""
    r = np.linspace(0, 1, points)
    angle = 2 * np.pi * turns * r
    return np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1) + rng.normal(0, 2 / points, (2, points)).T


def path_error(cell, p, path):
    """Mean squared error of the next point, along a whole path; the network sees the true points."""
    y, _ = forward(cell, p, path[None, :-1], np.ones((1, len(path) - 1)))
    return np.square(y[0] - path[1:]).mean()


def train(cell, path, epochs, rng, N=8, batch=32, rate=0.02):
    """A network that predicts, for each of three points in a row, the point that follows."""
    starts = np.arange(len(path) - 3)[:, None] + np.arange(3)  # row i has the indices i, i + 1, i + 2
    x, y, dt = path[starts], path[starts + 1], np.ones(starts.shape)  # (497, 3, 2) twice, and one unit of time a step
    p = parameters(cell, rng, 2, N, 2)
    optimizer = Adam(p)
    for epoch in range(epochs):
        now = rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))  # the learning rate falls from `rate` to 0
        total = 0.0
        order = rng.permutation(len(x))  # the windows in random order, 32 at a time
        for first in range(0, len(x), batch):
            some = order[first : first + batch]
            found, tape = forward(cell, p, x[some], dt[some])
            error = found - y[some]
            total += np.square(error).sum()
            d_found = 2 * error / error.size  # the loss is the mean of error**2
            optimizer.step(p, backward(cell, p, tape, d_found), now)
        if epoch == 0 or (epoch + 1) % 10 == 0:
            print(f"{cell}  epoch {epoch + 1:3}/{epochs}  mean squared error {total / y.size:.2e}", flush=True)
    return p


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the data and of both networks; default: %(default)s")
    args = parser.parse_args(argv)
    if args.epochs < 1 or args.seed < 0:
        parser.error("--epochs must be at least 1 and --seed at least 0")
    path, other = spiral(np.random.default_rng(args.seed)), spiral(np.random.default_rng(args.seed + 1_000_000))
    errors = {}
    for cell in CELLS:
        begin = time.perf_counter()
        p = train(cell, path, args.epochs, np.random.default_rng(args.seed))
        errors[cell] = path_error(cell, p, path), path_error(cell, p, other)
        print(f"{cell}: {time.perf_counter() - begin:.1f} s, {sum(value.size for value in p.values())} parameters\n")
    errors["repeat the last point"] = [np.square(np.diff(one, axis=0)).mean() for one in (path, other)]
    print("Mean squared error of the next point          the path trained on     a second path, fresh noise")
    for name, (trained, fresh) in errors.items():
        print(f"  {name:<43} {trained:<23.2e} {fresh:.2e}")
    print("The noise alone, of the inputs and the targets, gives about 3e-05.")  # 2 * (2 / 500)**2: their variances


if __name__ == "__main__":
    main()
