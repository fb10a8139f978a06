"""Training and evaluation of models on data; `ltc_np.model` attaches `fit` and `evaluate` to models."""
