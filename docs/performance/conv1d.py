"""Time `Conv1D` against PyTorch's, with the same weights, on one thread, in turn: outputs, and outputs and gradients.

    python docs/performance/conv1d.py [--runs 20] [--only "64 -> 64"]      # some minutes; needs torch

PyTorch's layers have `padding`, whose zeros at the end give outputs that nobody needs, and inputs of its own layout
(B, I, T).  Gradients are those of the weights and of the inputs.  Times are processor times, the least of all runs; a
ratio below 1 says that ltc_np is faster.
"""

import argparse
import itertools
import time

import numpy as np
import torch

from ltc_np import Conv1D, Model, set_num_threads

B, T = 16, 1000


class Case:
    """A layer of ours and of PyTorch's, and what both compute."""

    def __init__(self, I, O, K, stride, dilation, separable):
        self.name = f"{I} -> {O}, K = {K}, stride {stride}, dilation {dilation}" + ", separable" * separable
        self.model = Model(
            Conv1D(O, K, stride=stride, dilation=dilation, separable=separable), input_dim=I, seed=0, backend="cpu"
        )
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((B, T, I), dtype=np.float32)
        self.d_y = rng.standard_normal((B, T // stride, O), dtype=np.float32)
        p = {name: torch.tensor(values) for name, values in self.model.effective.items()}
        # An output belongs to the last of its steps, and zeros come before the first.
        how = {"stride": stride, "dilation": dilation, "padding": (K - 1) * dilation - (stride - 1)}
        if separable:
            each = torch.nn.Conv1d(I, I, K, groups=I, bias=False, **how)
            last = torch.nn.Conv1d(I, O, 1)
            self.torch = torch.nn.Sequential(each, last)
            each.weight.data = p["taps"].T[:, None].contiguous()
            last.weight.data = p["weight"].T[:, :, None].contiguous()
        else:
            self.torch = last = torch.nn.Conv1d(I, O, K, **how)
            last.weight.data = p["weight"].permute(2, 1, 0).contiguous()
        last.bias.data = p["bias"]
        self.torch_x = torch.tensor(self.x.transpose(0, 2, 1).copy(), requires_grad=True)
        self.torch_d_y = torch.zeros_like(self.theirs())
        self.torch_d_y[:, :, : T // stride] = torch.tensor(self.d_y.transpose(0, 2, 1))

    def ours(self):
        return self.model(self.x)

    def theirs(self):
        with torch.no_grad():
            return self.torch(self.torch_x)

    def our_gradients(self):
        y, tape = self.model.forward(self.x)
        return y, self.model.backward(tape, self.d_y).x

    def their_gradients(self):
        self.torch_x.grad = None
        self.torch.zero_grad()
        y = self.torch(self.torch_x)
        y.backward(self.torch_d_y)
        return y, self.torch_x.grad

    def check(self):
        (y, d_x), (theirs, d_theirs) = self.our_gradients(), self.their_gradients()
        for own, other in ((y, theirs.detach()[:, :, : y.shape[1]]), (d_x, d_theirs)):
            error = np.abs(own - other.transpose(1, 2).numpy()).max() / np.abs(own).max()
            if not error < 1e-5:
                raise AssertionError(f"{self.name}: they differ by {error}")


def least(functions, runs):
    """Of each function, the least processor time of a call, in seconds."""
    best = [np.inf] * len(functions)
    for _ in range(runs):
        for k, function in enumerate(functions):
            begin = time.process_time()
            function()
            best[k] = min(best[k], time.process_time() - begin)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    given = parser.parse_args()
    set_num_threads(1)
    torch.set_num_threads(1)
    print("| | outputs | with gradients |\n|---|---|---|")
    found = []
    for separable, *sizes in itertools.product((False, True), (1, 8, 64), (16, 64), (3, 5, 9), (1, 2), (1, 2)):
        if separable and sizes[0] == 1:
            continue
        case = Case(*sizes, separable)
        if given.only not in case.name:
            continue
        case.check()
        columns = []
        for pair in ((case.ours, case.theirs), (case.our_gradients, case.their_gradients)):
            ours, theirs = least(pair, given.runs)
            columns.append(f"{ours * 1e3:.2f} / {theirs * 1e3:.2f} ms = {ours / theirs:.2f}")
            found.append(ours / theirs)
        print(f"| {case.name} | {' | '.join(columns)} |", flush=True)
    above = sum(ratio > 1 for ratio in found)
    print(f"largest ratio {max(found):.2f}, median {np.median(found):.2f}, above 1: {above} of {len(found)}")


if __name__ == "__main__":
    main()
