"""What other libraries call things, and what is written here: remedies, for errors about names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Names of arguments, and what others call them.
ARGUMENTS = {
    "channels": "d_model hidden_size hidden_dim units width",
    "states": "d_state state_size state_dim ssm_size units",
    "blocks": "n_layers num_layers layers depth n_blocks num_blocks",
    "units": "hidden_size hidden_dim num_units n_units neurons",
    "neuron_count": "units",
    "outputs": "units output_size output_dim out_features",
    "output_size": "output_dim out_features",
    "output_dim": "output_size out_features d_output",
    "input_dim": "input_size in_features input_shape d_input d_model",
    "activation": "nonlinearity",
    "backbone_activation": "activation",
    "backbone_dropout": "dropout",
    "discretization": "disc discretisation",
    "step_min": "dt_min",
    "step_max": "dt_max",
    "modes": "measure",
    "pooling": "pool pool_type",
    "rate": "p dropout decay_rate gamma",
    "lr": "initial_learning_rate",
    "steps": "decay_steps T_max",
    "alpha": "rho",
    "beta1": "beta_1 betas",
    "beta2": "beta_2",
    "epsilon": "eps",
    "x": "X inputs",
    "y": "Y targets labels",
    "dt": "timespans ts delta_t",
    "lengths": "mask attention_mask seq_lengths sequence_lengths input_lengths",
    "h0": "hx initial_state state",
    "state": "h0 hx initial_state",
    "epochs": "nb_epoch n_epochs max_iter",
    "clip_norm": "global_clipnorm max_grad_norm gradient_clip_val clipvalue clip_value",
    "clip_array_norm": "clipnorm",
    "loss": "criterion",
    "class_weight": "pos_weight",
    "sample_weight": "weights weight",
    "seed": "random_state",
    "path": "filepath filename",
    "min_delta": "tol",
}
# Arguments that there are elsewhere and not there, and what to do instead.
INSTEAD = {
    "lr": "the optimiser has it, optimizer=Adam(0.01)",
    "learning_rate": "the optimiser has it, optimizer=Adam(0.01)",
    "weight_decay": "AdamW has it",
    "clipnorm": "`fit` has it, clip_array_norm=1.0",
    "global_clipnorm": "`fit` has it, clip_norm=1.0",
    "units": "the wiring has them, AutoNCP(16, 2)",
    "batch_first": "arrays are always (batch, time, feature)",
    "return_sequences": "the model has it, Model(..., return_sequences=False)",
    "return_state": "a call has it, y, state = model(x, return_state=True)",
    "num_layers": "give one layer after another, Model(LSTM(16), LSTM(16), input_dim=3)",
    "bidirectional": "wrap the layer, Bidirectional(LSTM(16))",
    "dropout": "it is a layer of its own, Dropout(0.1)",
    "device": "the GPU is chosen by backend='cuda'",
    "restore_best_weights": "`fit` does it where there is validation data (its argument `keep_best`)",
    "implicit_param_constraints": "it is positivity='softplus'",
    "verbose": "nothing is shown there",
}
# Attributes of a model of other libraries.
ATTRIBUTES = {
    "compile": "give optimizer, loss and metrics to `fit`",
    "parameters": "`params` has the arrays by name, `theta` all in one",
    "named_parameters": "`params` has the arrays by name",
    "weights": "`params` has the arrays by name",
    "get_weights": "write model.theta.copy()",
    "set_weights": "write model.theta = other.theta",
    "count_params": "write model.theta.size",
    "state_dict": "`save` writes a file, `params` has the arrays by name",
    "load_state_dict": "write ltc_np.load(path), or model.theta = other.theta",
    "load": "write ltc_np.load(path)",
    "load_weights": "write ltc_np.load(path)",
    "save_weights": "`save` does it",
    "score": "`evaluate` does it, with metrics=['r2'] or ['accuracy']",
    "predict_classes": "write model.predict(x).argmax(-1)",
    "fit_generator": "`fit` takes generators",
    "train_on_batch": "take `loss_and_grad`, then `step` of an optimiser",
    "train": "leave it out, only `fit` applies dropout",
    "eval": "leave it out, a call applies no dropout",
    "zero_grad": "leave it out, gradients are not added up",
    "to": "leave it out, Model(..., backend='cuda') chooses the GPU",
    "cuda": "leave it out, Model(..., backend='cuda') chooses the GPU",
    "double": "make the model with dtype='float64'",
    "add": "give all layers at once, Model(LSTM(16), Dense(4), input_dim=3)",
    "reset_states": "leave it out, a state is kept only where you pass it on",
    "history": "`fit` returns it",
    "stop_training": "return True from the end of an epoch",
}
LOSSES = {
    "mse": "mean_squared_error mse_loss mseloss squared_error l2",
    "mae": "mean_absolute_error l1_loss l1loss l1 absolute_error",
    "huber": "huber_loss huberloss smooth_l1 smooth_l1_loss smoothl1loss",
    "quantile": "pinball pinball_loss quantile_loss quantileloss mean_pinball_loss",
    "cross_entropy": "crossentropy crossentropyloss categorical_crossentropy sparse_categorical_crossentropy log_loss",
    "binary_cross_entropy": "bce binary_crossentropy bceloss bcewithlogitsloss binary_cross_entropy_with_logits",
}
METRICS = {
    "accuracy": "acc accuracy_score categorical_accuracy sparse_categorical_accuracy binary_accuracy",
    "balanced_accuracy": "balanced_accuracy_score",
    "f1": "f1_score f1score f1_macro",
    "roc_auc": "auc auroc roc_auc_score",
    "average_precision": "average_precision_score pr_auc",
    "mse": "mean_squared_error neg_mean_squared_error",
    "mae": "mean_absolute_error neg_mean_absolute_error",
    "r2": "r2_score r2score",
}


def argument(name: str, known: Sequence[str]) -> str:
    """What to write for an argument that a call does not have: one of the ``known`` names, or something else."""
    own = [own for own in _own(name, ARGUMENTS) if own in known]
    if own:
        return f"did you mean `{own[0]}`?"
    if name in INSTEAD:
        return INSTEAD[name]
    import difflib  # slow to import, and only errors need it

    close = difflib.get_close_matches(name, known, 1, 0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are {', '.join(known)}" if known else "it takes none by name"


def hint(name: str, table: Mapping[str, str]) -> str:
    """The end of an error about a name of another library that stands in ``table``; "" if it does not."""
    return "".join(f": did you mean {own!r}?" for own in _own(name.lower(), table))


def _own(name: str, table: Mapping[str, str]) -> list[str]:
    return [own for own, others in table.items() if name in others.split()]
