"""What other libraries call arguments, and what is written here: remedies, for errors about names.

The names of a loss, of a metric or of an attribute stand where these are defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Names of arguments, and what others call them.
ARGUMENTS = {
    "channels": "d_model hidden_size hidden_dim units width",
    "states": "d_state state_size state_dim ssm_size units",
    "blocks": "n_layers num_layers layers depth n_blocks num_blocks",
    "units": "hidden_size hidden_dim num_units n_units neurons",
    "neuron_count": "units",
    "outputs": "units output_size output_dim out_features out_channels filters",
    "output_size": "output_dim out_features",
    "output_dim": "output_size out_features d_output",
    "input_dim": "input_size in_features in_channels input_shape d_input d_model",
    "activation": "nonlinearity",
    "backbone_activation": "activation",
    "backbone_dropout": "dropout",
    "discretization": "disc discretisation",
    "step_min": "dt_min",
    "step_max": "dt_max",
    "modes": "measure",
    "pooling": "pool pool_type",
    "lr": "initial_learning_rate learning_rate",
    "rate": "p dropout decay_rate gamma learning_rate lr mu step_size",
    "forgetting": "forgetting_factor lam lambda_",
    "steps": "decay_steps T_max n_steps num_steps total_timesteps patch_size patch_len",
    "gamma": "discount discount_factor",
    "lam": "gae_lambda lambda_",
    "clip": "clip_range clip_coef clip_param",
    "clip_value": "clip_range_vf clip_vloss",
    "entropy": "ent_coef entropy_coef",
    "value_weight": "vf_coef value_coef",
    "environments": "env envs",
    "alpha": "rho",
    "beta1": "beta_1 betas",
    "beta2": "beta_2",
    "epsilon": "eps",
    "x": "X inputs",
    "y": "Y targets labels",
    "dilation": "dilation_rate",
    "dt": "timespans ts delta_t",
    "lengths": "mask attention_mask seq_lengths sequence_lengths input_lengths",
    "h0": "hx initial_state state",
    "state": "h0 hx initial_state",
    "epochs": "nb_epoch n_epochs max_iter update_epochs",
    "clip_norm": "global_clipnorm max_grad_norm gradient_clip_val clipvalue clip_value",
    "loss": "criterion",
    "class_weight": "pos_weight",
    "validation": "validation_data eval_set X_val",
    "horizon": "fh prediction_length output_chunk_length",
    "exogenous": "exog covariates past_covariates",
    "budget": "n_iter n_trials timeout",
    "sample_weight": "weights weight",
    "seed": "random_state",
    "random_state": "seed",
    "learning_rate": "lr learning_rate_init",
    "ensemble": "n_estimators",
    "path": "filepath filename",
    "min_delta": "tol",
}
# Arguments that there are elsewhere and not there, and what to do instead.
INSTEAD = {
    "lr": "the optimiser has it, such as Adam(0.01)",
    "learning_rate": "the optimiser has it, such as Adam(0.01)",
    "weight_decay": "AdamW has it",
    "use_ema": "a callback has it, fit(callbacks=EMA(0.99))",
    "ema_momentum": "a callback has it, fit(callbacks=EMA(0.99))",
    "clipnorm": "`fit` has it, clip_norm=Clip(1.0, per_array=True)",
    "global_clipnorm": "`fit` has it, clip_norm=1.0",
    "units": "the wiring has them, AutoNCP(16, 2)",
    "batch_first": "arrays are always (batch, time, feature)",
    "return_sequences": "the model has it, Model(..., return_sequences=False)",
    "return_state": "a call has it, y, state = model(x, return_state=True)",
    "num_layers": "a model has one layer after another, Model(LSTM(16), LSTM(16), input_dim=3)",
    "bidirectional": "wrap the layer, Bidirectional(LSTM(16))",
    "dropout": "it is a layer of its own, Dropout(0.1)",
    "padding": "zeros come before each sequence, as with padding='causal' elsewhere, and none behind it",
    "groups": "with separable=True each feature has its own weights over time",
    "depth_multiplier": "separable=True has one filter for each feature",
    "bias": "begin with init={'bias': 0} and call model.freeze('bias'), by the name that `model.params` has",
    "use_bias": "begin with init={'bias': 0} and call model.freeze('bias'), by the name that `model.params` has",
    "callbacks": "`fit` of a model takes them, Model(...).fit(x, y, callbacks=...)",
    "device": "the GPU is chosen by backend='cuda'",
    "restore_best_weights": "`fit` does it where there is validation data (its argument `keep_best`)",
    "implicit_param_constraints": "it is positivity='softplus'",
    "verbose": "nothing is shown there",
    "validation_data": "`fit` takes them, fit(X, y, validation=(X_val, y_val))",
    "eval_set": "`fit` takes them, fit(X, y, validation=(X_val, y_val))",
    "input_size": "it is read from the data",
    "in_features": "it is read from the data",
}


def argument(name: str, known: Sequence[str]) -> str:
    """What to write for an argument that a call does not have: one of the ``known`` names, or something else."""
    found = [here for here in meant(name) if here in known]
    if found:
        return f"did you mean `{found[0]}`?"
    if name in INSTEAD:
        return INSTEAD[name]
    import difflib  # slow to import, and only errors need it

    close = difflib.get_close_matches(name, known, 1, 0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are {', '.join(known)}" if known else "it takes none by name"


def meant(name: str) -> list[str]:
    """Arguments of this library that others call so."""
    return _meant(name, ARGUMENTS)


def hint(name: str, table: Mapping[str, str]) -> str:
    """The end of an error about a name that another library has; "" if ``table`` does not have it.

    ``table`` has the names of this library, and to each those of others, in lower case, with spaces between.
    """
    return "".join(f": did you mean {here!r}?" for here in _meant(name.lower(), table))


def _meant(name: str, table: Mapping[str, str]) -> list[str]:
    return [here for here, others in table.items() if name in others.split()]
