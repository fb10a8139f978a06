"""One training step of ltc_np, ncps, JAX and PyTorch, in one run.

Every peer runs in processes of its own, one for each thread count, which wait on their standard input and work one
at a time, so the runs of all can take turns.  A short trial decides each peer's thread count and JAX's formulation;
only the winners are timed.  Peers get ltc_np's parameters and must find its loss and gradient, or the run fails; but
PyTorch's LSTM also stands beside the LTC, as a yardstick: there it is another model.

A step is forward, gradient and Adam in float32 on data in memory, 6 unfolds, mean squared error of all N neurons'
outputs.  That of ltc_np goes through its public calls, and also clips the gradient, which the peers do not.
"""
