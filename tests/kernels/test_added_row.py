"""A row that is added to the table of solvers is enough: whatever has solvers computes it right, or refuses it."""

import importlib.util
import re
import shutil

import pytest
from support import ROOT
from support.processes import python

# Heun's rule of third order, of which a weight is 0.
NAME = "third_of_heun"
ROW = f'Solver("{NAME}", len(TABLE), 3, 3, False, 2.512, reach=(1 / 3, 2 / 3, 0.0), weight=(1 / 4, 0.0, 3 / 4)),'
END = "    )\n}  # fmt: skip\n"  # of the table

# Who has solvers, and its tests, which go over all rows: against loops, fine solutions, differences or the model.
CONSUMERS = {
    "the tables of kernels": "kernels/test_codes.py::test_what_a_row_says_of_stability_is_true "
    "kernels/test_codes.py::test_compiled_kernels_find_a_tableau",
    "LTC": "cells/test_solvers.py::test_order_of_convergence cells/test_solvers.py::test_gradients_of_every_coordinate",
    "LRC": "cells/test_lrc.py::test_every_solver_is_of_its_order cells/test_lrc.py::test_gradients_of_every_solver",
    "LrcSSM": "cells/test_lrc_ssm.py::test_orders_of_convergence cells/test_lrc_ssm.py::test_gradients",
    "CTRNN and NeuralODE": "cells/test_ode.py::test_order_with_an_activation cells/test_ode.py::test_gradients",
    "check_stability": "cells/test_stability.py::test_the_unfolds_of_the_message_are_enough_and_the_fewest "
    "cells/test_solvers.py::test_steps_too_long_for_an_explicit_solver_are_refused",
    "files": "cells/test_solvers.py::test_solver_is_part_of_the_model",
    "traces": "network/test_trace.py::test_potentials_at_every_unfold "
    "network/test_trace.py::test_currents_explain_the_change_of_potential",
    "learners": "online/test_gradients.py::test_gradients_of_every_solver_sum_to_that_of_the_sequence "
    "online/test_gradients.py::test_a_method_that_leaves_out_is_what_it_is_or_refused "
    "online/test_synaptic.py::test_a_solver_with_a_tableau_is_not_served",
    "exports to C and to the web": "export/test_lower.py::test_a_program_computes_the_steps_of_its_model "
    "export/test_lower.py::test_a_program_of_one_elapsed_time_computes_them_too",
    "exports that learn": "export/test_exact.py::test_what_is_refused",
    "exports in fixed point": "export/fixed/test_quantise.py::test_every_solver_of_the_ltc_is_exact_to_seven_places",
    "exports to ONNX": "export/test_onnx.py::test_a_graph_computes_what_the_model_does",
    "solver_error": "cells/test_solvers.py::test_solver_error_is_the_distance_to_the_solution "
    "cells/test_solvers.py::test_suggested_unfolds_are_those_that_the_check_allows",
    "fewer_unfolds": "simplify/test_unfolds.py::test_every_solver_is_tried_if_it_is_asked_for",
}
# The same of what is compiled: of kernels, of those that learn, and of a card, emulated.
COMPILED = {
    "LTC": "cells/test_solvers.py::test_backends_agree",
    "learners": "online/test_gradients.py::"
    "test_gradients_of_every_solver_sum_to_that_of_the_sequence_in_compiled_kernels",
    "CTRNN and NeuralODE": "cells/test_ode.py::test_gradients",
    "a card": "kernels/cuda/test_cuda_arrays.py::test_a_stage_of_a_solver_and_its_adjoint_are_those_of_the_definition "
    "kernels/cuda/test_cuda_ltc.py::test_equals_numpy",
}


def with_a_row(folder):
    """A copy of the package, with one more row in its table, and the tests beside it."""
    shutil.copytree(ROOT / "ltc_np", folder / "ltc_np", ignore=shutil.ignore_patterns("__pycache__", "libraries"))
    table = folder / "ltc_np/kernels/codes.py"
    text = table.read_text(encoding="utf-8")
    assert text.count(END) == 1
    row = ROW.replace("len(TABLE)", str(text.count("\n        Solver(")))
    table.write_text(text.replace(END, f"        {row}\n{END}"), encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("tests", "docs"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def tried(folder, consumers, kernels):
    """By consumer and test of it, what became of its cases of the new row."""
    files = {f"tests/{test.partition('::')[0]}": None for tests in consumers.values() for test in tests.split()}
    names = " or ".join(test.rpartition("::")[2] for tests in consumers.values() for test in tests.split())
    given = ["-q", "-p", "no:cacheprovider", "-m", "", "-rA", "-k", f"{NAME} and not float32 and ({names})", *files]
    run = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    own = {"LTC_NP_KERNELS": kernels, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = python(run, arguments=given, root=folder, check=False, timeout=600, **own)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    passed = re.findall(r"^PASSED tests/(\S+?)\[", done.stdout, re.MULTILINE)
    return {
        who: [any(one.startswith(test) for one in passed) for test in tests.split()] for who, tests in consumers.items()
    }


@pytest.mark.slow
def test_a_new_row_is_right_or_refused_by_whoever_has_solvers(tmp_path):
    found = tried(with_a_row(tmp_path), CONSUMERS, "numpy")
    absent = set() if importlib.util.find_spec("onnxruntime") else {"exports to ONNX"}
    assert {who for who, tests in found.items() if not all(tests)} <= absent, found


@pytest.mark.fuzz
@pytest.mark.numba
def test_a_new_row_is_right_in_compiled_kernels_too(tmp_path):
    """With a cache that has none of them yet."""
    found = tried(with_a_row(tmp_path), COMPILED, "numba")
    assert all(all(tests) for tests in found.values()), found
