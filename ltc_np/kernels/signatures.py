"""The types that kernels of the CPU are called with: what they are compiled for where they come compiled.

Every kernel has a line, in a short language.  ``R3`` is an array with three axes of the working precision, float32 or
float64, and ``r`` a number of it; ``D2`` and ``d`` are float64 whatever the working precision is; ``I1`` and ``i`` are
int64, ``b`` is a boolean, and ``None`` is None.  Arrays are contiguous.  Brackets are a tuple, and ``i|None`` says that
there is code for either.  tests/kernels/test_signatures.py compares the table with what the suite calls.
"""

_SEQUENCES, _ADJOINTS, _RESULTS, _KEPT, _GRADIENTS = "(R3 R2 I1)", "(R3 R2)", "(R3 R2)", "(R1 R1 R1)", "(D2 R3 R2 R2)"
_RULE, _PART = "(i i i)", "i i i"  # a part of a call: first, last, worker
_SPACE = "(R4 R3 (i i i d) (r r r))"
_LTC, _D_LTC = "(R1 R1 R1) (R1 R1 R1 R1 R1) (R1 R1 R1 R1 R1)", "(D1 D1 D1) (D1 D1 D1 D1) (D1 D1 D1 D1)"
_LTC_LISTS, _LTC_OUTGOING = "(R2 I1 I1 R2 I1 I1 R2)", "(I1 I1 I1 R2 I1 I1 I1 R2)"
_LRC_LISTS, _LRC_OUTGOING = "(i R2 I1 I1 R2 R1 I1 I1 R2 R1)", "(I1 I1 R2 R1 I1 I1 R2 R1)"
_GATES = f"(i i i i) I1 R1 R1 {{}} i R2 (R1 R1 R1) (R1 R1) {_PART}"  # of cells of gates
_D_GATES = f"(i i i i) I1 (R1 R1 R1) (R1 R1) (R3 R3) i i R2 (D2 R1 R1) {_PART}"
_SEEN = "(R1 R1 (i i i))"  # inputs of convolutions
_WINDOWS = "(i i i i i i i)"  # of these
_MEETING = f"{_WINDOWS} (i i) (i i i)"
_RANGES = "(I2 I2 R1 (i i I2 I1 r R1))"  # what `to_effective` takes of a layout
_PACKED = "(I2 (R1 R1) r (I1 I1) (R2 (R2 R2) (R2 R2)))"  # of an LTC, what `pack` does
_HEAD = "(R2 R2 R1 R1 R2 (i i) (I2 I2 I1) (I2 I2 I1))"
_CHANGE = "d d d d d"  # numbers of an optimiser's step


def _follow(circuit, outgoing, given):
    """Of a cell's `follow` by `synaptic_traces`, which hands ``given`` to the cell's ``unpack``."""
    mappings, plan = "(R1 R1 R1 R1)", "(I1 I2 I2 I2 I1)"
    return f"(R1 R1 R1 R1 R2) ({circuit} {outgoing}) {_RULE} {mappings} R1 R1 {plan} b {given} R1 D2 D1"


def _sweep(name, circuit, tiles, outgoing=None):
    """Of a cell's `forward` and `backward` by `neuron_major`, which has ``outgoing`` too, or `batch_major`."""
    forward = f"{_SEQUENCES} R2 {circuit} {_RULE} {tiles} R2 {_KEPT} {_RESULTS} {_PART}"
    circuit = f"({circuit} {outgoing})" if outgoing else circuit
    backward = f"{_SEQUENCES} {_ADJOINTS} {circuit} {_RULE} {tiles} R2 {_KEPT} {_GRADIENTS} {_PART}"
    return {f"{name}.forward": forward, f"{name}.backward": backward}


SIGNATURES = {
    "adam.change": f"R1 R1 R1 R1 {_CHANGE}",
    "adam.step": "R1 R1 R1 R1 R1 R1 D1",
    "cfc.activate": "i R2 R1 R2 R2 b",
    "cfc._d_steps": "(i i i) i i (i i i) (R3 R2 I1 R3 R2) R1 R1 R1 (R1 R1 R1) R3 (R2 R2 R3) R1 R1 R2 (D1 D1 R1) R1",
    "cfc._steps": "(i i i b) i i (i i i) (R3 R2 I1 R1) (R1 R1) R1 R1 R3 R1 R1 R1 R3 R3 R1",
    "convolution._correlate": f"{_MEETING} {_SEEN} R3 R1 R2 R1 {_PART}",
    "convolution._d_seen": f"{_MEETING} R1 R3 R2 R2 {_PART}",
    "convolution._d_taps": f"{_WINDOWS} (i i i) {_SEEN} R1 R2 D2 {_PART}",
    "convolution._d_weight": f"{_MEETING} {_SEEN} R1 i R1 R2 D2 {_PART}",
    "convolution._depthwise": f"{_WINDOWS} (i i i) {_SEEN} R1 R2 R1 {_PART}",
    "ctgru._backward": f"(R1 R1 b) R1 (i i i i) I1 (R1 R1 R1) (R1 R1) (R3 R3 R3) i i R2 (D2 R1 R1) {_PART}",
    "ctgru._forward": f"(R1 R1 b) {_GATES.format('(R3 R3)')}",
    "dense.backward": "(i i) (I2 I2 I1) (I2 I2 I1) I1 R2 R2 R2 D2 D1",
    "dense.forward": "(i i) (I2 I2 I1) I1 R2 R1 R2",
    "effective._to_raw": "R1 D1 I2 R1",
    "gru._backward": f"R1 R1 {_D_GATES}",
    "gru._forward": f"R1 {_GATES.format('(R3 R3)')}",
    "linoss._backward": (f"b R2 (i i i i i) (i i i) (R1 R1 I1) (R3 R3 R3) R1 R1 (R1 R1) (R1 R1) R2 D2 {_PART}"),
    "linoss._forward": f"b R2 (i i i i i) (i i i) (R1 R1 I1) (R3 R3) R1 R1 R1 R1 R2 {_PART}",
    "losses._elements_of_classes": "R2 I1 R1 R2",
    "losses._elements_of_logits": "R1 R1 R1 R1 R1",
    "losses.classes": "R3 R3 I1 D1 R3 D1",
    "losses.errors": "i R1 R3 R3 I1 D1 R3 D1",
    "losses.logits": "R1 R3 R3 I1 D1 R3 D1",
    "lrc._pack": "(R1 R1 R1 R1 R1) (R1 R1 R1 R1) (R1 R1 R1 R1) (I1 I1) R2 R3 R3",
    "lrc._unpack": "D2 (I1 I1) (R1 R1 R1 R1) (R1 R1 R1 R1) (D1 D1 D1 D1 D1) (D1 D1 D1 D1) D1 (D1 D1 D1 D1) D1",
    **_sweep("lrc_batch_major", "(i R2 R3 R2 R3 R2)", "(i i i None)"),
    **_sweep("lrc_neuron_major", _LRC_LISTS, "(i i i i|None)", _LRC_OUTGOING),
    "lrc_ssm.backward_steps": f"R2 i {_RULE} i i i i R2 R2 R2 R3 R3 R2 R2 R2 D2 R1",
    "lrc_ssm.d_synapses": "R1 R1 i i i i R3 R2 R2 R3 D1 D1 R1",
    "lrc_ssm.forward_steps": f"R2 i {_RULE} i i i i R2 R2 R2 R3 R1",
    "lrc_ssm.synapses": "R1 R1 i i i i R3 R2",
    "lrc_ssm_traces.carry": f"R2 i {_RULE} R1 R1 R2 R3 R2 R2 R2 R3 R2 (R2 R3 R2 R2 R2 D2 R1 R2)",
    "lrc_traces.follow": _follow(_LRC_LISTS, _LRC_OUTGOING, "((I1 I1) I2)"),
    "lstm._backward": _D_GATES,
    "lstm._forward": _GATES.format("(R3)"),
    "lstm.backward_step": "i i i R3 R3 R3 R2 R2 R3",
    "lstm.forward_step": "i i i R3 R2 R1 R3 R3",
    "ltc_memory._backward": (
        f"(i i i i) I1 (R1 R1 R1 R1 R1) (R1 R1) (R3 R3) (R1 R1 I1 ({_LTC_LISTS} {_LTC_OUTGOING}) {_RULE} R2) "
        f"(i i i i|None) i R2 (R4 R3 R3 R3 R4 R4 R3) (D2 D2 R1 R1 R1 R1) {_PART}"
    ),
    "ltc_memory._forward": (
        f"(i i i i) I1 R1 R1 (R3) (R1 R1 I1 {_LTC_LISTS} {_RULE} R2) (i i i i|None) R2 (R4 R3 R3 R3 R4) "
        f"(R1 R1 R1 R1 R1) (R1 R1) {_PART}"
    ),
    "ltc._pack": f"{_LTC} r (I1 I1) R2 R3 R3",
    "ltc._unpack": f"D2 (I1 I1) {_LTC} {_D_LTC}",
    **_sweep("ltc_batch_major", "(R2 R3 R3)", "(i i i None)"),
    **_sweep("ltc_neuron_major", _LTC_LISTS, "(i i i i|None)", _LTC_OUTGOING),
    "ltc_learning.answer": (f"I2 (R1 R1) (R1 R1) (R1 R1) R1 {_HEAD} R1 (R3 R1 R1 R3 R1 R1 R2) {_HEAD} R1 d D1 R2"),
    "ltc_learning.learn": (
        f"I2 ((R3 R3 D1 R3) (R3 R3 D1 R3)) {_HEAD} (R1 R1 i i) R1 (R1 R1 R1 R1 R1) (R2 R2) (d d) (I2 R1)"
        f"(R1 R1 D1 R1 R1 {_RANGES} {_PACKED}) d D1 (R2 R2 R2) R2"
    ),
    "ltc_traces.follow": _follow(_LTC_LISTS, _LTC_OUTGOING, "((I1 I1) I2 (R1 R1))"),
    "ltc_training.steps": (
        f"I2 (i i) (D2 D2) d (R3 R2 I1 R3) (R3 R2 I1 R3) (R1 R1 D1 R1) {_RANGES}"
        f"{_PACKED} (R1 R1 D1 D1) (D2 R3) D1 D1 (I2 I2 I2 I2)"
    ),
    "mapping._d_map": "R3 R3 R1 D1 D1 R3",
    "mapping._map": "R3 R1 R1 R3",
    "ode._backward": f"{_SEQUENCES} {_ADJOINTS} (R3 R3 R3 R3 R1 i) {_RULE} i R2 (R1 R1) {_GRADIENTS} {_PART}",
    "ode._forward": f"{_SEQUENCES} R2 (R3 R3 R3 R3 R1 i) {_RULE} R2 (R1 R1) {_RESULTS} {_PART}",
    "rate.multiply_add_chains": "R1 D1 i",
    "rate.sigmoid_sum": "R1 D1 i",
    "readouts.learn": "R2 R2 R1 R1 R1 R1 d d d R2 D1",
    "rmsprop.change": f"R1 R1 R1 R1 {_CHANGE}",
    "rmsprop.step": "R1 R1 R1 R1 R1 R1 D1",
    "sgd.change": "R1 R1 R1 d d d",
    "sgd.step": "R1 R1 R1 R1 R1 D1",
    "spiking_lif.backward_steps": "b i i i i R2 R3 (R1 R1 r r r r) (i r r) R3 R3 R3 R3 R2 R2 R2 R3 R2 R2",
    "spiking_lif.forward_steps": "b i i i i R2 R3 (R1 R1 r r r r) R3 R3 R3 R3",
    "streams.put": "I1 R2 R2 I1 R2 R2 d I1",
    "streams.take": "I1 R2 R1 I1 R2 R2 R2 R2 d I1",
    "ssm._backward": f"{_SEQUENCES} {_ADJOINTS} {_SPACE} R2 R4 R3 {_GRADIENTS} {_PART}",
    "ssm._forward": f"{_SEQUENCES} R2 {_SPACE} R2 R4 {_RESULTS} {_PART}",
    "sums._of_squares": "R1 D1",
    "ssm_traces._carry": f"{_SPACE} R2 R1 R2 R4 R2 R1",
    "synaptic_traces.collect": "I2 I1 R1 R1 R1 R1",
}

# Kernels that another one calls by their addresses.  For each a library has a function more, which tells where the code
# lies for its arguments.
CALLED = (
    *("ltc_neuron_major.forward", "ltc_neuron_major.backward", "ltc_batch_major.forward"),
    *("ltc_traces.follow", "synaptic_traces.collect", "mapping._map", "mapping._d_map"),
    *("dense.forward", "dense.backward", "losses.errors", "losses.logits", "losses.classes"),
    *("adam.step", "rmsprop.step", "sgd.step"),
)


def of_address(name):
    """What that function is called."""
    return f"{name}.address"
