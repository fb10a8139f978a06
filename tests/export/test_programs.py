"""Random programs in C against their definition: which loops are joined, and which variables share a place."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from support import compilers

from ltc_np.export.builder import Builder
from ltc_np.export.c.floats import Floats
from ltc_np.export.c.prepare import prepared
from ltc_np.export.c.source import source
from ltc_np.export.program import Constant, Number, Program, Vector, apply
from ltc_np.export.run import Machine

COUNT, STEPS = 100, 3
OPERATIONS = {"add": 2, "subtract": 2, "multiply": 2, "maximum": 2, "tanh": 1, "sigmoid": 1, "negative": 1, "select": 3}


class Random:
    """Adds random statements to a builder; what it computes stays within a few units."""

    def __init__(self, rng):
        self.rng, self.b = rng, Builder()
        self.inputs = Vector("x", 0, 3), Vector("dt", 0, 1)
        self.state = Vector("state", 0, 5)

    def pick(self, several):
        return several[self.rng.integers(len(several))]

    def part(self, vector, size):
        start = int(self.rng.integers(vector.size - size + 1))
        return vector[start : start + size]

    def vector(self, pool, size):
        return self.part(self.pick([vector for vector in pool if vector.size >= size]), size)

    def expression(self, pool, size, depth=2):
        kind = self.rng.integers(4 if depth else 2)
        if kind == 0:
            values = self.rng.standard_normal(size)
            return Constant(values, "constant") if size > 1 else Number(float(values[0]))
        if kind == 1:
            return self.vector(pool, size)
        operation = self.pick(list(OPERATIONS))
        return apply(operation, *(self.expression(pool, size, depth - 1) for _ in range(OPERATIONS[operation])))

    def statements(self, pool, count, depth=2):
        for _ in range(count):
            size, kind = int(self.rng.integers(1, 4)), self.rng.integers(7)
            if kind == 0:
                pool.append(self.b.assign(self.b.variable(size), apply("tanh", self.expression(pool, size))))
            elif kind == 1:
                self.change(pool)
            elif kind == 2:
                weights = self.rng.standard_normal((size, 3)) * (self.rng.random((size, 3)) < self.pick((0, 0.3, 1)))
                pool.append(self.b.linear(weights, self.vector(pool, 3), self.rng.standard_normal(size)))
            elif kind == 3:
                self.synapses(pool, size)
            elif kind == 4:
                pool.append(self.b.total(self.expression(pool, size)))
            elif kind == 5 and depth:
                with self.b.repeat(int(self.rng.integers(2, 4))):
                    self.statements(pool, int(self.rng.integers(1, 6)), depth - 1)
            else:
                pool.append(self.b.gather(self.vector(pool, 3), self.rng.permutation(3)))

    def change(self, pool):
        """A part of a variable, by what does not read other elements of it."""
        own = self.pick([vector for vector in pool if vector not in self.inputs])
        target = self.part(own, int(self.rng.integers(1, own.size + 1)))
        others = [*(vector for vector in pool if vector.name != own.name), *self.inputs]
        if target.size <= max(vector.size for vector in others):
            self.b.assign(target, apply("tanh", target + self.expression(others, target.size)))

    def synapses(self, pool, size):
        pre = [np.flatnonzero(self.rng.random(3) < 0.6) for _ in range(size)]
        lists = SimpleNamespace(pre=np.concatenate(pre), start=np.cumsum([0, *map(len, pre)]), n_post=size)
        arrays = self.rng.standard_normal((4, len(lists.pre))) * (self.rng.random(len(lists.pre)) < 0.7)
        fields = dict(zip(("mu", "sigma", "first_weight", "second_weight"), arrays, strict=True))
        starts = (self.expression(pool, size, 1) for _ in range(2))
        pool.extend(self.b.synapses(lists, self.vector(pool, 3), *starts, **fields))

    def program(self):
        pool = [*self.inputs, self.state]
        for layer in range(3):
            self.statements(pool, int(self.rng.integers(2, 8)))
            self.b.end_stage(f"layer {layer}")
        self.b.assign(self.state, apply("tanh", self.expression(pool[:3], 5)))
        self.b.assign(Vector("y", 0, pool[-1].size), pool[-1])
        self.b.end_stage("outputs")
        return Program(3, pool[-1].size, 5, True, self.rng.standard_normal(5), tuple(self.b.stages))


@pytest.mark.tools("gcc clang")
def test_random_programs(tmp_path):
    """In double, within roundings of sums of another order; every third is unrolled."""
    programs, text = [Random(np.random.default_rng(seed)).program() for seed in range(COUNT)], []
    for k, program in enumerate(programs):
        written = source(prepared(program), f"p{k}", Floats("double", True), k % 3 == 0, "")
        (tmp_path / f"p{k}.h").write_text(written.header)
        text.append(written.source)
    (tmp_path / "all.c").write_text("\n".join(text))
    compilers.run(
        compilers.HOST[0], "-std=c99", "-O1", "-shared", "-fPIC", "all.c", "-o", "all.so", "-lm", cwd=tmp_path
    )
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    for k, program in enumerate(programs):
        rng, machine = np.random.default_rng(k), Machine(program, 1)
        state, y = np.full(5, np.nan), np.full(program.output_size, np.nan)
        pointers = [values.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for values in (state, y)]
        getattr(library, f"p{k}_reset")(pointers[0])
        for _ in range(STEPS):
            x, dt = rng.standard_normal(3), float(rng.random())
            given = x.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), ctypes.c_double(dt)
            getattr(library, f"p{k}_step")(pointers[0], *given, pointers[1])
            np.testing.assert_allclose(y, machine.step(x[None], dt)[0], rtol=1e-9, atol=1e-9, err_msg=f"program {k}")
            np.testing.assert_allclose(state, machine.values["state"][:, 0], rtol=1e-9, atol=1e-9)
