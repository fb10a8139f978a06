"""How the kernels of the CPU are compiled ahead of time; `command` says by which steps."""
