"""Mistakes over the public API: every argument of every call gets values that it cannot be.

A call is made with arguments that fit, and one of them is replaced.  What comes must be a ValueError or a TypeError in
one line, which begins with the name of an argument and says what it must be; values that an argument takes after all
stand in `TAKEN`.
"""

import re

import numpy as np
import pytest
from support import ranks

import ltc_np as lib
from ltc_np import metrics, optim
from ltc_np.interop.ncps import from_ncps, to_ncps
from ltc_np.train.callbacks import CSVLogger, ReduceLROnPlateau

X, Y = np.random.default_rng(0).normal(size=(2, 4, 5, 3))[..., :2].astype(float)
LABELS = np.arange(4) % 2
SERIES = np.arange(40.0)[:, None]


def model(**options):
    return lib.Model(lib.LTC(lib.AutoNCP(6, 2), input_dim=2), seed=0, dtype="float64", backend="numpy", **options)


MODEL, CLASSIFIER = model(), model(return_sequences=False)
CLOSED_FORM = lib.CfCRNN(3, input_dim=2, backbone_units=4, backbone_layers=2, seed=0, backend="numpy")
OUT, TAPE = MODEL.forward(X)
WIRED = {"input_dim": 2, "ode_unfolds": 2, "epsilon": 1e-8, "positivity": "clip", "solver": "rk4",
         "check_stability": "off", "input_mapping": "affine", "output_mapping": None, "init": {"w": 0.5}}  # fmt: skip
CALL = {"dt": 0.5, "lengths": [5, 4, 3, 2], "h0": np.zeros((4, 6))}
BATCH = CALL | {"loss": "mse", "sample_weight": np.ones(4), "l1": 0.1, "l2": 0.1, "missing": "error", "memory": "full",
                "dropout_seed": 1}  # fmt: skip
TRAIN = {
    "dt": 0.5, "lengths": [5, 4, 3, 2], "epochs": 1, "batch_size": 2, "tbptt": 3, "optimizer": "adam", "loss": "mse",
    "metrics": ["mae"], "validation": {"x": X, "y": Y, "dt": 0.5}, "sample_weight": np.ones(4),
    "penalty": lib.L1L2(0.1), "missing": "error", "standardize": False, "clip_norm": 1.0,
    "shuffle": True, "seed": 0, "keep_best": True, "callbacks": [],
    "comm": None, "verbose": 0,
}  # fmt: skip
# Of each call: the function, and arguments that fit.
CALLS = {
    "LTC": (lib.LTC, {"wiring": lib.AutoNCP(6, 2)} | WIRED),
    "LRC": (lib.LRC, {"wiring": lib.AutoNCP(6, 2), "input_dim": 2, "ode_unfolds": 2, "elastance": "symmetric",
            "elastance_by": "state", "positivity": "clip", "solver": "rk4", "check_stability": "off",
            "input_mapping": "affine", "output_mapping": None, "init": {"w": 0.5}}),
    "LTCRNN": (lib.LTCRNN, {"wiring": lib.AutoNCP(6, 2), "input_dim": 2, "hidden_dim": 6, "output_dim": 2,
               "proj_size": 3, "mixed_memory": False, "seed": 0, "dtype": "float32", "backend": "numpy",
               "return_sequences": True}),
    "CfCRNN": (lib.CfCRNN, {"units_or_wiring": 4, "input_dim": 2, "proj_size": 3, "mixed_memory": False, "seed": 0,
               "dtype": "float32", "backend": "numpy", "return_sequences": True}),
    "Model": (lambda **a: lib.Model(lib.Dense(2), **a), {"input_dim": 2, "seed": 0, "dtype": "float32",
              "backend": "numpy", "return_sequences": True}),
    "CfC": (lib.CfC, {"units": 4, "input_dim": 2, "mode": "pure", "variant": "torch", "backbone_units": 3,
            "backbone_layers": 2, "backbone_activation": "relu", "backbone_dropout": 0.1, "init": {"a": 0.5}}),
    "WiredCfC": (lib.WiredCfC, {"wiring": lib.AutoNCP(6, 2), "input_dim": 2, "mode": "pure", "variant": "torch",
                 "strict": True, "init": {}}),
    "LSTM": (lib.LSTM, {"units": 4, "input_dim": 2, "forget_bias": 1.0, "init": {"b": 0.0}}),
    "GRU": (lib.GRU, {"units": 4, "input_dim": 2, "init": {"b": 0.0}}),
    "CTGRU": (lib.CTGRU, {"units": 4, "input_dim": 2, "scales": 3, "tau_min": 1.0, "tau_ratio": 3.0,
              "decay": "after", "init": {"b": 0.0}}),
    "CTRNN": (lib.CTRNN, {"units": 4, "input_dim": 2, "solver": "rk4", "ode_unfolds": 2, "activation": "tanh",
              "global_feedback": True, "check_stability": "off", "tau": 2.0, "init": {"b": 0.0}}),
    "NeuralODE": (lib.NeuralODE, {"units": 4, "input_dim": 2, "solver": "rk4", "ode_unfolds": 2,
                  "activation": "tanh", "init": {"b": 0.0}}),
    "SpikingLIF": (lib.SpikingLIF, {"units": 4, "input_dim": 2, "recurrent": True, "threshold": 1.0, "reset": 0.0,
                   "refractory": 1.0, "surrogate": "arctan", "slope": 2.0, "tau": 5.0, "relaxed": True, "init": {}}),
    "S4D": (lib.S4D, {"states": 4, "input_dim": 2, "modes": "lin", "discretization": "bilinear", "step_min": 0.01,
            "step_max": 0.5, "method": "fft", "lr_scale": 0.5, "init": {"d": 0.0}}),
    "LiquidS4": (lib.LiquidS4, {"states": 4, "input_dim": 2, "liquid": "discrete", "liquid_degree": 3,
                 "liquid_bound": 2.0, "liquid_scale": 0.5, "modes": "lin", "discretization": "bilinear",
                 "step_min": 0.01, "step_max": 0.5, "lr_scale": 0.5, "init": {"d": 0.0}}),
    "LiquidS4RNN": (lib.LiquidS4RNN, {"input_dim": 2, "output_dim": 3, "channels": 4, "states": 4, "blocks": 2,
                    "liquid": "kb", "norm": "batch", "prenorm": False, "dropout": 0.1, "pooling": "mean", "seed": 0,
                    "dtype": "float32", "backend": "numpy"}),
    "largest_multiplier": (lib.largest_multiplier, {
                           "model": lib.Model(lib.LiquidS4(4, input_dim=2), seed=0, dtype="float64"), "x": X,
                           "dt": 0.5, "lengths": [5, 4, 3, 2]}),
    "Conv1D": (lib.Conv1D, {"outputs": 2, "kernel_size": 3, "stride": 2, "dilation": 2, "separable": True,
               "activation": "tanh", "input_dim": 3, "init": {"bias": 0.5}}),
    "Dense": (lib.Dense, {"outputs": 2, "activation": "tanh", "input_dim": 3}),
    "Dropout": (lib.Dropout, {"rate": 0.5, "input_dim": 3}),
    "LayerNorm": (lib.LayerNorm, {"epsilon": 1e-3, "input_dim": 3, "init": {"scale": 0.5}}),
    "BatchNorm": (lib.BatchNorm, {"epsilon": 1e-3, "momentum": 0.5, "input_dim": 3, "init": {"scale": 0.5}}),
    "GELU": (lib.GELU, {"input_dim": 3}),
    "GLU": (lib.GLU, {"input_dim": 4}),
    "Line": (lib.Line, {"outputs": 2, "reads": 3, "weight": 0.5, "bias": 0.1, "input_dim": 3}),
    "RandomConvolutions": (lib.RandomConvolutions, {
                           "outputs": 2, "features": 84, "length": 9, "seed": 1, "weight": 0.5, "bias": 0.1,
                           "thresholds": 0.2, "input_dim": 3}),
    "Patch": (lib.Patch, {"steps": 2, "input_dim": 3}),
    "Pooling": (lib.Pooling, {"kind": "max", "input_dim": 3}),
    "InputMapping": (lib.InputMapping, {"mapping": "affine", "input_dim": 3}),
    "Standardize": (lib.Standardize, {"inverse": True, "mean": 0.5, "scale": 2.0, "input_dim": 3}),
    "Bidirectional": (lib.Bidirectional, {"layer": lib.LSTM(3, input_dim=2), "merge": "sum"}),
    "MixedMemory": (lib.MixedMemory, {"cell": lib.CfC(3, input_dim=2), "topology": "torch", "forget_bias": 1.0,
                    "input_dim": 2}),
    "NCP": (lib.NCP, {"inter_neurons": 4, "command_neurons": 3, "motor_neurons": 2, "sensory_fanout": 2,
            "inter_fanout": 2, "recurrent_command_synapses": 2, "motor_fanin": 2, "seed": 1}),
    "AutoNCP": (lib.AutoNCP, {"units": 8, "output_size": 2, "sparsity_level": 0.5, "seed": 1}),
    "FullyConnected": (lib.FullyConnected, {"units": 8, "output_dim": 2, "erev_init_seed": 1,
                       "self_connections": True}),
    "Random": (lib.Random, {"units": 8, "output_dim": 2, "sparsity_level": 0.5, "random_seed": 1}),
    "RandomWiring": (lib.RandomWiring, {"input_dim": 2, "output_dim": 2, "neuron_count": 5, "seed": 0}),
    "Adam": (lib.Adam, {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}),
    "AdamW": (lib.AdamW, {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.1,
              "decay": "all"}),
    "RMSprop": (lib.RMSprop, {"lr": 0.1, "alpha": 0.9, "epsilon": 1e-8, "momentum": 0.5}),
    "SGD": (lib.SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True}),
    "CosineDecay": (lib.CosineDecay, {"lr": 0.1, "steps": 10, "final": 0.01}),
    "ExponentialDecay": (lib.ExponentialDecay, {"lr": 0.1, "rate": 0.5, "steps": 10, "staircase": True}),
    "PiecewiseConstant": (lib.PiecewiseConstant, {"boundaries": [3, 5], "values": [0.3, 0.2, 0.1]}),
    "PerEpoch": (lib.PerEpoch, {"schedule": lib.CosineDecay(0.1, 10)}),
    "WarmUp": (lib.WarmUp, {"schedule": lib.CosineDecay(0.1, 10), "steps": 5}),
    "EarlyStopping": (lib.EarlyStopping, {"patience": 3, "monitor": "val_loss", "min_delta": 0.1, "mode": "min"}),
    "Checkpoint": (lib.Checkpoint, {"path": "m.npz", "every": 2, "save_best_only": True, "monitor": "val_loss",
                   "mode": "min"}),
    "EMA": (lib.EMA, {"beta": 0.9}),
    "SWA": (lib.SWA, {"last": 0.5}),
    "Batching": (lib.Batching, {"size": 4, "drop_last": True, "group_by_length": True, "steps_per_epoch": 3}),
    "BestWeights": (lib.BestWeights, {"monitor": "val_loss", "mode": "min", "keep": False}),
    "BPTT": (lib.BPTT, {"steps": 4, "memory": "low", "parallel_time": 4}),
    "Clip": (lib.Clip, {"norm": 0.5, "per_array": True}),
    "L1L2": (lib.L1L2, {"l1": 0.1, "l2": 0.1}),
    "ShardedData": (lib.ShardedData, {"comm": ranks.Threads(None, 1, 0, None)}),
    "Validation": (lib.Validation, {"data": (X, Y), "every": 2}),
    "Checkpoints": (lib.Checkpoints, {"folder": "run", "every": 2, "keep_last": 5, "resume": True}),
    "ReduceLROnPlateau": (ReduceLROnPlateau, {"patience": 3, "factor": 0.5, "monitor": "loss", "min_delta": 0.0,
                          "cooldown": 1, "min_lr": 1e-5, "mode": "min"}),
    "CSVLogger": (CSVLogger, {"path": "log.csv", "separator": ";"}),
    "clip_by_global_norm": (lib.clip_by_global_norm, {"grad": np.ones(3), "max_norm": 1.0}),
    "pad": (lib.pad, {"sequences": [np.ones((3, 2)), np.ones((2, 2))], "value": 0.0, "steps": 4}),
    "windows": (lib.windows, {"series": SERIES, "length": 4, "hop": 2, "horizon": 1}),
    "dt_from_times": (lib.dt_from_times, {"times": np.arange(5.0), "t0": 0.0}),
    "generate_spiral_data": (lib.generate_spiral_data, {"num_points": 9, "num_turns": 2, "noise": 1.0, "seed": 0}),
    "huber": (lib.losses.huber, {"y": np.ones((2, 1)), "target": np.ones((2, 1)), "weight": np.ones(2), "delta": 1.0}),
    "quantile": (lib.losses.quantile, {"y": np.ones((2, 2)), "target": np.ones((2, 1)), "weight": np.ones(2),
                 "quantiles": (0.1, 0.9)}),
    "mixture_density": (lib.losses.mixture_density, {"y": np.ones((2, 6)), "target": np.ones((2, 1)),
                                                     "weight": np.ones(2)}),
    "metrics.get": (metrics.get, {"metric": "mae"}),
    "losses.get": (lib.losses.get, {"loss": "mse"}),
    "call": (MODEL, {"x": X} | CALL | {"return_state": True, "return_sequences": True}),
    "forward": (MODEL.forward, {"x": X} | CALL | {"return_sequences": True, "memory": "low", "dropout_seed": 3}),
    "backward": (MODEL.backward, {"tape": TAPE, "d_y": np.ones_like(OUT), "d_state": np.zeros((4, 6))}),
    "loss_and_grad": (MODEL.loss_and_grad, {"x": X, "y": Y} | BATCH),
    "step": (MODEL.step, {"x_t": X[:, 0], "dt": 0.5, "state": np.zeros((4, 6))}),
    "predict": (MODEL.predict, {"x": X} | CALL | {"batch_size": 2}),
    "predict_proba": (CLASSIFIER.predict_proba, {"x": X, "dt": 0.5, "lengths": None, "batch_size": 2,
                      "multilabel": False}),
    "evaluate": (MODEL.evaluate, {"x": X, "y": Y, "dt": 0.5, "lengths": [5, 4, 3, 2], "loss": "mse",
                 "metrics": ["mae"], "sample_weight": np.ones(4), "missing": "error", "batch_size": 2}),
    "evaluate classes": (CLASSIFIER.evaluate, {"x": X, "y": LABELS, "loss": "cross_entropy", "class_weight": [1, 2]}),
    "fit": (lambda **a: model().fit(**a), {"x": X, "y": Y} | TRAIN),
    "adapt": (lib.Model(lib.Standardize(), lib.Dense(2), input_dim=2, seed=0, backend="numpy").adapt, {"x": X, "y": Y,
              "lengths": [5, 4, 3, 2]}),
    "freeze": (lambda **a: model().freeze(*a.values()), {"names": "w"}),
    "views": (MODEL.views, {"vector": MODEL.theta}),
    "initial_state": (MODEL.initial_state, {"batch_size": 2}),
    "save": (lambda path, optimizer: MODEL.save(path, optimizer), {"path": "nowhere/m.npz", "optimizer": None}),
    "load": (lib.load, {"path": "m.npz", "backend": "numpy", "optimizer": None}),
    "from_config": (lib.from_config, {"config": {"cell": "ltc", "units": 4, "input_dim": 2}, "seed": 0,
                    "dtype": "float32", "backend": "numpy", "return_sequences": True}),
    "gradcheck.check": (lib.gradcheck.check, {"model": MODEL, "x": X[:2, :2], "dt": 0.5, "lengths": [2, 1],
                        "h0": np.zeros((2, 6)), "step": 1e-6, "seed": 0}),
    "gradcheck.direction": (lib.gradcheck.direction, {"model": MODEL, "x": X, "dt": 0.5, "step": 1e-6, "seed": 0}),
    "solver_error": (lib.solver_error, {"model": MODEL, "x": X, "dt": 0.5, "tolerance": 0.1, "unfolds": (1, 2)}),
    "from_ncps": (from_ncps, {"source": to_ncps(MODEL), "prefix": "", "wiring": lib.AutoNCP(6, 2), "output_dim": 2,
                  "positivity": "softplus", "ode_unfolds": 6, "epsilon": 1e-8, "return_sequences": True,
                  "dtype": "float32", "backend": "numpy"}),
    "from_ncps of a CfC": (from_ncps, {"source": to_ncps(CLOSED_FORM), "mode": "default", "activation": "relu",
                           "backbone_dropout": 0.1}),
    "to_ncps": (to_ncps, {"model": CLOSED_FORM, "as_module": False}),
    "set_num_threads": (lib.set_num_threads, {"n": 1}),
    "register": (lib.register, {"cls": lib.Dense}),
}  # fmt: skip
WRONG = {
    "an object": object(),
    "a word": "no such word",
    "minus one": -1,
    "a fraction": 1.5,
    "NaN": float("nan"),
    "a list in a list": [[1], [1, 2]],
    "a dict": {"no such name": 1},
    "a class": dict,
}
RATES = " ".join(f"{kind.__name__}.lr" for kind in optim.OPTIMIZERS.values())  # which may be a schedule, any callable
NUMBERS = f"""
    {RATES}
    CTGRU.tau_min CTGRU.tau_ratio CTRNN.tau SpikingLIF.threshold SpikingLIF.refractory SpikingLIF.slope SpikingLIF.tau
    Standardize.scale Adam.epsilon AdamW.epsilon AdamW.weight_decay RMSprop.epsilon
    LayerNorm.epsilon BatchNorm.epsilon
    CosineDecay.lr CosineDecay.final ExponentialDecay.lr EarlyStopping.min_delta ReduceLROnPlateau.min_delta
    ReduceLROnPlateau.min_lr clip_by_global_norm.max_norm generate_spiral_data.noise huber.delta call.dt forward.dt
    loss_and_grad.dt loss_and_grad.l1 loss_and_grad.l2 step.dt predict.dt predict_proba.dt evaluate.dt fit.dt L1L2.l1
    L1L2.l2 Clip.norm fit.clip_norm gradcheck.check.dt gradcheck.check.step gradcheck.direction.dt
    gradcheck.direction.step solver_error.dt solver_error.tolerance
    S4D.step_max S4D.lr_scale LiquidS4.step_max LiquidS4.lr_scale
    LiquidS4.liquid_bound LiquidS4.liquid_scale largest_multiplier.dt
"""
ANY_NUMBER = """
    LSTM.forget_bias SpikingLIF.reset Standardize.mean Line.weight Line.bias MixedMemory.forget_bias pad.value
    RandomConvolutions.weight RandomConvolutions.bias RandomConvolutions.thresholds
    dt_from_times.t0     generate_spiral_data.num_turns
"""
# Where a value is none that is wrong.
TAKEN = {
    "minus one": ANY_NUMBER,
    "a fraction": f"{NUMBERS} LSTM.forget_bias Standardize.mean Line.weight Line.bias MixedMemory.forget_bias "
    "RandomConvolutions.weight RandomConvolutions.bias RandomConvolutions.thresholds "
    "pad.value generate_spiral_data.num_turns WarmUp.schedule",
    "NaN": "pad.value",
    "a word": "AdamW.decay EarlyStopping.monitor Checkpoint.path Checkpoint.monitor ReduceLROnPlateau.monitor "
    "BestWeights.monitor Checkpoints.folder CSVLogger.path save.path",  # names are looked at when training begins
    "a dict": "L1L2.l1 L1L2.l2",  # so are names of parameters
    "a class": f"{RATES} PerEpoch.schedule WarmUp.schedule",  # may be called
    "a list in a list": "pad.sequences dt_from_times.times Validation.data",  # which may be x and y
}
TAKEN = {wrong: set(names.split()) for wrong, names in TAKEN.items()}


def outcome(call, name, wrong):
    """None where the value is taken, else the error."""
    function, arguments = CALLS[call]
    try:
        function(**arguments | {name: WRONG[wrong]})
    except Exception as error:
        return error
    return None


def complaint(call, name, error):
    """What is wrong with an error; None for a good one."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return None if repr(error.filename) in text else "does not name the file"
    if not isinstance(error, (ValueError, TypeError)) or isinstance(error, UnicodeError):
        return "neither ValueError nor TypeError"
    if "\n" in text or len(text) > 400:
        return "not one short line"
    if not re.match(r"`[\w\[\]'. ]+`|[A-Za-z]+ of|\w+ must|[\w.]+: ", text):
        return "does not begin with the argument"
    if f"`{name}" not in text and name not in text:
        return "does not name the argument"
    return None


@pytest.mark.few(7)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_every_argument_of(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some make files
    bad = []
    for name in CALLS[call][1]:
        for wrong in WRONG:
            error = outcome(call, name, wrong)
            taken = f"{call}.{name}" in TAKEN.get(wrong, ())
            if (error is None) != taken:
                bad.append(f"`{name}` of {wrong} is {'refused' if taken else 'taken'}: {error}")
            if error is not None and not taken and complaint(call, name, error):
                bad.append(f"`{name}` of {wrong}: {complaint(call, name, error)}: {error}")
    assert not bad, "\n".join(bad)


def test_the_arguments_that_fit(tmp_path, monkeypatch):
    """Otherwise the errors might be about something else."""
    monkeypatch.chdir(tmp_path)
    MODEL.save("m.npz")
    (tmp_path / "nowhere").mkdir()
    for function, arguments in CALLS.values():
        function(**arguments)


def test_every_optimiser_and_schedule_is_tried():
    kinds = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}
    assert kinds - {"Optimizer"} <= CALLS.keys()


def test_there_are_thousands():
    assert sum(len(arguments) for _, arguments in CALLS.values()) * len(WRONG) > 2000
