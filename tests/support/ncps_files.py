"""State dicts of ncps as they were saved: golden/make_ncps_interop.py made them."""

import numpy as np

import ltc_np
from support import golden

NAME = "ncps_interop"
CASES = golden.cases(NAME)


def case(name):
    """(arrays by name, state dict, what `from_ncps` must be given, wiring here or None, whether it has an LSTM)."""
    found, said = golden.read(NAME, name, "case")
    state_dict = {key[2:]: value for key, value in found.items() if key.startswith("s/")}
    options, wiring = dict(said["options"]), said["wiring"]
    if wiring is not None:
        wiring = getattr(ltc_np, wiring["class"])(**wiring["arguments"]).build(2)
    if name == "tutorial":
        options["wiring"] = ltc_np.Wiring.from_matrix(found["mask"], found["sensory_mask"], 2)
    return found, state_dict, options, wiring, said["mixed"]


def state(g, mixed, which):
    """A first ("0") or last ("T") state as a model here has it: the cell's, then the LSTM's."""
    return np.concatenate([g[f"h{which}"], g[f"c{which}"]], axis=1) if mixed else g[f"h{which}"]
