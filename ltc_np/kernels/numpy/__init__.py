"""The definition: every kernel and its adjoint, vectorised, in NumPy."""
