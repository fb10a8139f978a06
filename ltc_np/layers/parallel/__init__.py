"""Time in parallel: a long sequence in chunks that run side by side, as if they were sequences of a batch.

A layer that is `contracting` forgets its initial state, so a chunk needs no past but the steps just before it.  Each
chunk gets the state at its start from a run of these steps; then all chunks run at the same time; then each border is
*verified*: the state in which a chunk ends must be the one from which the next has begun.  Where it is not, the later
chunk runs again from the right state, until all borders agree.  So the result is that of the sequence as it stands:
to the bit for layers with `bitwise_batch`, else to rounding, or to a tolerance that is asked for.

The adjoint is linear, and forgets at the same rate.  Backwards each chunk gets the adjoint at its end from the steps
just behind it, and the borders are verified again: to rounding, each number by its own size.

* `settings`: the argument ``parallel_time``, and what a model says of its last call;
* `task`: a layer and what it is to run;
* `agree`: whether two states or adjoints are the same;
* `probe`: after how many steps two runs from different states agree, and an adjoint has faded, at some places;
* `cut`: which steps belong to which chunk;
* `chunks`: forward, and the adjoint.

docs/guides/long_sequences.md shows it.
"""

from __future__ import annotations

from .chunks import Chunked as Chunked
from .chunks import adjoint as adjoint
from .chunks import backward as backward
from .chunks import forward as forward
from .settings import CARD as CARD
from .settings import PROCESSOR as PROCESSOR
from .settings import CutTime as CutTime
from .settings import Parallel as Parallel
from .settings import ParallelTime as ParallelTime
from .settings import Report as Report
from .settings import Width as Width
from .settings import read as read
from .settings import wants as wants
