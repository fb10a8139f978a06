"""The gradient of raw parameters: compiled, in NumPy, and by the slope of softplus."""

import numpy as np
import pytest
from support.backends import NO_KERNELS

from ltc_np.base.layout import Entry, Layout
from ltc_np.kernels.numpy import effective

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np.kernels.cpu import effective as compiled

LAYOUT = Layout(
    (
        Entry("a", (3,)),
        Entry("b", (37,), positivity="softplus"),
        Entry("c", (5,), positivity="clip", bound=0.1),
        Entry("d", (2, 2), positivity="softplus"),
        Entry("e", (1,)),
    )
)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 3e-7), ("float64", 1e-15)])
def test_the_slope_of_softplus_is_a_sigmoid(dtype, error):
    rng = np.random.default_rng(0)
    raw = np.linspace(-8, 9, LAYOUT.size).astype(dtype)
    d_values = rng.standard_normal(LAYOUT.size)
    values = LAYOUT.effective(raw)
    wanted = d_values.copy()
    for where in (slice(3, 40), slice(45, 49)):
        wanted[where] /= 1 + np.exp(-raw[where].astype(np.float64))
    for found in (f.d_effective(LAYOUT, values, d_values.copy()) for f in (effective, compiled)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=error)
