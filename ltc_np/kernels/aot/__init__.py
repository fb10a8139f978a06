"""``python -m ltc_np build-kernels``: all kernels of the CPU as shared libraries, one for each level of processors.

This needs Numba, and a C compiler as a linker.  Nothing is written in C: Numba compiles each kernel for the types in
`ltc_np.kernels.signatures`, and `entry` writes the functions that Python calls.
"""
