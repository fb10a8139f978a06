"""ltc_np.wirings.summary: a few lines of text."""

from support.wirings import hand_made

from ltc_np.wirings import AutoNCP


def test_summary():
    assert hand_made().summary().splitlines() == [
        "Wiring.from_edges(units=4, edges=<6>, sensory_edges=<3>, output_dim=2, input_dim=3)",
        "neurons   4: 2 inter, 2 motor",
        "inputs    3",
        "synapses  6 recurrent (37.5% of dense), 3 sensory (25.0% of dense)",
        "polarity  6 excitatory, 3 inhibitory",
        "fan-in    1 to 3 synapses per neuron",
    ]
    assert AutoNCP(16, 4).summary().splitlines()[1:] == [
        "neurons   16: 8 inter, 4 command, 4 motor",
        "inputs    not known before build(input_dim)",
    ]
