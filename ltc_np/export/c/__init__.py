"""A model in C99: one ``.h`` and one ``.c`` that need no heap and no library but math.h, which they can do without.

`write` makes a folder.  Inside, `prepare` makes the program ready, `writer` writes its statements with what an
`arithmetic` says about numbers (`floats`), and `source` puts the two files together.  `rules` is how a readout
learns, and `learning` what stands around it.
"""

from .write import Export, write

__all__ = ["Export", "write"]
