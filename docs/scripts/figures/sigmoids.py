"""How far synapses are open over the potential of their source, for several mu and sigma."""

import numpy as np
from book import DASHES, LINES, main, panels, signed

from ltc_np import LTCRNN, Wiring

MU, AT_SIGMA = (0.0, 0.3, 0.6), 8.0
SIGMA, AT_MU = (3.0, 8.0, 30.0, -8.0), 0.3


def openings(v, mu, sigma):
    """The part of its strength by which each of several synapses is open, (potentials, synapses)."""
    n = len(mu)
    wiring = Wiring.from_edges(1, [], [(k, 0, 1) for k in range(n)], input_dim=n)
    model = LTCRNN(wiring, n, input_mapping=None, dtype="float64")
    model.params["sensory_mu"], model.params["sensory_sigma"] = mu, sigma
    return model.trace(np.tile(v[:, None], n), dt=0.0)["sensory_activations"]


def draw():
    v = np.linspace(-0.6, 1.2, 400)
    figure, (left, right) = panels(14, 5.4, columns=2, sharey=True)
    for axes, title, values, found in (
        (left, rf"where it opens: $\mu$ (at $\sigma$ = {AT_SIGMA:g})", MU, openings(v, MU, [AT_SIGMA] * len(MU))),
        (right, rf"how steeply: $\sigma$ (at $\mu$ = {AT_MU:g})", SIGMA, openings(v, [AT_MU] * len(SIGMA), SIGMA)),
    ):
        for k, value in enumerate(values):
            axes.plot(v, found[:, k], color=LINES[k], linestyle=DASHES[k], label=signed(value))
        axes.set(title=title, xlabel="potential of the source")
        axes.grid(alpha=0.3, linewidth=0.4)
        axes.margins(x=0)
    left.legend(title=r"$\mu$", loc="upper left")
    right.legend(title=r"$\sigma$", loc="center right")
    left.set_ylabel("open part of the strength, s")
    return figure


if __name__ == "__main__":
    main({"sigmoids": draw}, __doc__)
