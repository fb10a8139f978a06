"""Networks: parameters, what goes in and comes out, and the engine that computes."""
