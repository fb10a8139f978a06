"""Pictures are drawn without a display, and closed."""

import pytest


@pytest.fixture(autouse=True)
def no_display():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
    matplotlib.use(before)
