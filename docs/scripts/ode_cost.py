"""A training step of the CT-RNN and the neural ODE beside its multiply-adds: prints the table of docs/maths/ctrnn.md.

    python docs/scripts/ode_cost.py

N = 32, I = 4, T = 100, 64 sequences, 6 unfolds, float32, gradient clipping and Adam; processor time of one thread, the
least of 40 steps.  Takes ten seconds.
"""

from ltc_np import set_num_threads
from ltc_np.bench.cases import CASES, problem, training_step
from ltc_np.bench.rates import multiply_add_rate, processor_seconds

STEPS, STAGES = 40, {"ctrnn": 1, "neural_ode": 4}


def main():
    set_num_threads(1)
    rate = multiply_add_rate("float32")
    print(f"{rate / 1e9:.0f} G multiply-adds/s in registers")
    print("| | multiply-adds with the state | activations | at this rate | a training step |\n|---|---|---|---|---|")
    for name, stages in STAGES.items():
        _, N, _, T, B = CASES[name]
        model, x, y = problem(CASES[name], "float32")
        evaluations = model.layers[0].ode_unfolds * stages * T * B * N
        products = 3 * evaluations * N  # v W, and backward two products of the same size
        took = processor_seconds(training_step(model, x, y), STEPS)
        limit = products / rate
        print(
            f"| `{type(model.layers[0]).__name__}`, `{model.layers[0].solver}` | {products / 1e6:.0f} million "
            f"| {2 * evaluations / 1e6:.1f} million | {1e3 * limit:.1f} ms | {1e3 * took:.1f} ms |"
        )


if __name__ == "__main__":
    main()
