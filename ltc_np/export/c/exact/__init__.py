"""A whole network that goes on learning in C, by exact gradients; docs/online.md derives them."""
