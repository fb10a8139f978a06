"""Steps in JAX."""

import numpy as np

# How the arrays of a JAX step lie, synapses as (B, post, pre) in "rows" and as (post, pre, B) in "lanes"; how the two
# sums over synapses are written; and what the backward pass recomputes: nothing, each unfold, or each time step with
# its unrolled unfolds.
FORMULATIONS = (
    "rows, sum, none",
    "rows, sum, unfold scanned",
    "rows, sum, unfold unrolled",
    "rows, einsum, unfold scanned",
    "lanes, sum, unfold unrolled",
    "lanes, einsum, unfold scanned",
    "lanes, einsum, unfold unrolled",
    "lanes, einsum, step unrolled",
)


def jax_step(model, x, y, formulation):
    """JAX: `jit` of a `lax.scan` over time, with Adam in the same program and its state updated in place."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    layout, how, recomputed = formulation.split(", ")
    rows, U, epsilon = layout == "rows", model.layers[0].ode_unfolds, model.layers[0].epsilon
    B, N, O = x.shape[0], model.state_size, model.output_size
    spread, axis, equation = (1, 2, "bij,ij->bi") if rows else (0, 1, "ijb,ij->ib")

    def constant(values):
        return values if rows else values[..., None]

    def conductances(v, w, mu, sigma, erev):
        s = jax.nn.sigmoid(constant(sigma) * (jnp.expand_dims(v, spread) - constant(mu)))
        if how == "einsum":
            return jnp.einsum(equation, s, w), jnp.einsum(equation, s, w * erev)
        a = constant(w) * s
        return a.sum(axis), (a * constant(erev)).sum(axis)

    def unfold(v, network, P, Q):
        cm, recurrent = network
        q, p = conductances(v, *recurrent)
        return (cm * v + P + p) / (cm + Q + q)

    if recomputed.startswith("unfold"):
        unfold = jax.checkpoint(unfold)

    def loss(theta, x, y):
        p = {name: theta[where].reshape(shape) for name, (where, shape) in model.layout.slices.items()}
        p |= {name: jax.nn.softplus(p[name]) for name in ("gleak", "cm", "w", "sensory_w")}
        recurrent, sensory = (
            [p[prefix + name].reshape(N, -1) for name in ("w", "mu", "sigma", "erev")] for prefix in ("", "sensory_")
        )
        network = constant(U * p["cm"]), recurrent
        leak_p, leak_q = constant(p["gleak"] * p["vleak"]), constant(p["gleak"] + epsilon)

        def step(v, x):
            q, r = conductances(x, *sensory)
            P, Q = leak_p + r, leak_q + q
            if recomputed.endswith("unrolled"):
                for _ in range(U):
                    v = unfold(v, network, P, Q)
            else:
                v = lax.scan(lambda v, _: (unfold(v, network, P, Q), None), v, None, length=U)[0]
            return v, v[:, :O] if rows else v[:O]

        if recomputed.startswith("step"):
            step = jax.checkpoint(step)
        return ((lax.scan(step, jnp.zeros((B, N) if rows else (N, B)), x)[1] - y) ** 2).mean()

    def train(state, x, y):
        theta, m, s, k = state
        value, g = jax.value_and_grad(loss)(theta, x, y)
        k, m, s = k + 1, 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        theta -= 1e-3 * (m / (1 - 0.9**k)) / (jnp.sqrt(s / (1 - 0.999**k)) + 1e-8)
        return [theta, m, s, k], value

    x, y = (jnp.asarray(a.transpose((1, 0, 2) if rows else (1, 2, 0))) for a in (x, y))
    state = [jnp.array(model.theta), *jnp.zeros((2, model.theta.size)), jnp.zeros(())]
    compiled = jax.jit(train, donate_argnums=0)

    def step():
        state[:], value = compiled(state, x, y)
        return jax.block_until_ready(value)

    def loss_and_grad():
        """Of the program that is timed: after one step of Adam, its first moment is a tenth of the gradient."""
        return float(step()), 10 * np.asarray(state[1])

    return step, loss_and_grad
