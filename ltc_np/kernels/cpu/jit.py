"""House decorators of kernels: for code that Numba compiles, or for code that came compiled.

* ``kernel``: an entry point called from Python; releases the GIL.  It returns nothing, as it does in a library: what it
  finds goes into arrays.
* ``helper``: called by kernels only; LLVM decides whether it becomes a call.
* ``inlined``: a helper with a long body that inner loops call: LLVM, left to itself, would make it a call.
* ``table``: a table of sizes, a function that returns a NamedTuple: kernels cut the arrays that they work in by it, and
  their callers, in Python, add it up.
* ``intrinsic``: an instruction, by a function that writes it for LLVM; all of them are in `simd`.

A new helper begins as ``helper``, and becomes ``inlined`` if this is measured to be faster.  That depends on the length
of the body, so a part of one cell may be one and its namesake in another cell the other: an LRC's ``advance`` has a
whole neuron in it, and calls of such parts cost up to 40 % forward, whereas an LTC's is short.  Parts that have the
loop over all neurons inside, such as ``d_advance``, are called once a stage; which of the two they are was not
measured.

Where a library with the machine code of these sources fits the processor (`ltc_np.kernels.library`), a kernel is its
function of the same name.  Then nothing here is compiled, and Numba need not be there: helpers remain functions of
Python that nobody calls.
"""

import types

from .. import library

if library.chosen():
    from ..library import announce, helper, inlined, intrinsic, kernel, table
else:
    from .compiler import announce, helper, inlined, intrinsic, kernel, table

COMPILES = not library.chosen()  # whether bodies of kernels are used: else what only they need is not imported

__all__ = ["COMPILES", "announce", "for_cell", "helper", "inlined", "intrinsic", "kernel", "table"]


def for_cell(parts, functions, wanted):
    """Those of a sweep's functions that are ``wanted``, compiled with the parts of one cell.

    All synaptic cells go over time steps, unfolds and neurons in the same way, and differ in what they do there.  So a
    sweep is written once and calls ``cell.advance(...)``, where ``cell`` is a global name of its file.  A function of
    Python looks its global names up in a dict that belongs to it.  Here every function gets a copy: the same code with
    another dict, in which ``cell`` is the module with the parts of this cell.  Numba compiles a copy like any other
    function, so what a cell does is as fast as if it stood in the sweep.  (A function that makes functions would be the
    usual way, but Numba's disk cache does not find its kernels again.)  Files of the cache are called like the file and
    the qualified name of a function; so a copy is called after its cell, too.

    Parameters
    ----------
    parts : module
        Complete when this is called, since a part that is missing is noticed only when a kernel is compiled: so it is
        called at the end of that module.
    functions : dict
        The functions of a sweep that use ``cell``, or each other, by what decorates them.
    wanted : tuple of functions

    Returns
    -------
    list
        The copies of those that are wanted, in their order.
    """
    names = wanted[0].__globals__ | {"cell": parts}
    for decorate, some in functions.items():
        for function in some:
            copy = types.FunctionType(function.__code__, names, function.__name__)
            copy.__qualname__ = f"{parts.__name__.rpartition('.')[2]}.{function.__name__}"
            copy.__doc__ = function.__doc__
            names[function.__name__] = decorate(copy)
    return [names[function.__name__] for function in wanted]
