"""Ways out: a trained model as something that runs without this package.

`program` says what one step of a model computes, as a short list of vector operations; `lower` makes that list of a
model, `run` computes it with NumPy, and everything else here writes it down in another language.
"""
