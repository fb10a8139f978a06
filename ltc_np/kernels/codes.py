"""What the kernels of all backends know by number or by position, once."""

LOG2E = 1.4426950408889634
# Rows of partial gradients that a call adds up in order, whatever the number of threads.
GRADIENT_ROWS = 16
