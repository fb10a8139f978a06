"""Text that is printed, to be compared."""

import io


def summary(described):
    """The summary of a model or a wiring."""
    described.summary(file=(text := io.StringIO()))
    return text.getvalue()
