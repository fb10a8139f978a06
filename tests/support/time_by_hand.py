"""A time that tests move."""


class Time:
    """A clock that moves by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now
