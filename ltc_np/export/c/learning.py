"""A readout that goes on learning, in C: what stands beside a step, whatever the rule and the type of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...base.types import Numbers
from .arithmetic import Scope
from .templates import filled

FEATURES = """
    @real features[@NAME_FEATURES + 1]; /* of the last answer; behind them 1, or 0 before the first */"""
READOUT = """
/* The readout, which learns: one of these for all sequences, or one for each. */
typedef struct {
    @real weights[@NAME_OUTPUTS * (@NAME_FEATURES + 1)]; /* row by row, the bias behind each row */@kept
} @name_readout;
"""
DECLARED = """
/* Forget all that was learnt: the readout becomes what was deployed. */
void @name_deploy(@name_readout *readout);

/* Learn from the target of the last answer of a sequence, or of an earlier one, of which state is a copy:
   @NAME_OUTPUTS numbers, @missing where none is known.
   Returns 0, or, with nothing learnt,
@codes */
int @name_learn(@name_readout *readout, const @name_state *state, const @real *target);
"""
NO_ANSWER = "1 before the first answer"
DEPLOY = """
void @name_deploy(@name_readout *readout)
{
    for (int i = 0; i < @weights; i++) {
        readout->weights[i] = @weight;
    }@begin
}
"""
RESET = """
    for (int i = 0; i <= @F; i++) {
        state->features[i] = 0;
    }"""
STEP = """\
@made_featuresstate->features[@F] = 1;
for (int o = 0; o < @O; o++) {
    y[o] = @name_answer(readout, state, o);
}"""


class Learning(NamedTuple):
    """What an arithmetic and a rule make of a readout.

    Attributes
    ----------
    W : (O, F + 1) array
        What the readout begins with, in the arithmetic's numbers.
    functions : str
        Definitions of NAME_answer, an output of the readout, and NAME_learn.
    missing : str
        What a target is that is not known.
    codes : tuple of str
        What NAME_learn returns other than 0, and where.
    features : str
        Statements that make features of the network's outputs, in their place.
    kept : tuple of (str, str, int)
        What a rule keeps beside the weights: its declaration, statements of NAME_deploy for it, how many numbers.
    scratch : int
        Numbers on the stack of NAME_learn.
    """

    W: Numbers
    functions: str
    missing: str
    codes: tuple[str, ...]
    features: str = ""
    kept: tuple[str, str, int] = ("", "", 0)
    scratch: int = 0

    @property
    def outputs(self) -> int:
        return int(self.W.shape[0])

    @property
    def numbers(self) -> int:
        """Of NAME_readout."""
        return int(self.W.size) + self.kept[2]


class Parts(NamedTuple):
    """What `source` puts into its two texts: by place, behind the other statements of NAME_reset, and of NAME_step.

    ``features``, ``readout`` and ``scratch`` are how many numbers there are beside the state's, of the readout, and on
    the stack of NAME_learn.
    """

    text: Mapping[str, str]
    reset: str
    step: tuple[str, ...]
    features: int
    readout: int
    scratch: int


# Of an export that does not learn.
NOTHING = Parts(
    dict.fromkeys(("features", "kept_features", "readout", "by", "learn", "learning", "deploy"), ""), "", (), 0, 0, 0
)


def parts(learning: Learning, name: str, c_type: str, scope: Scope) -> Parts:
    """The text around a readout; ``scope`` has the tables."""
    O, F = learning.outputs, learning.W.shape[1] - 1
    declared, begun, _ = learning.kept
    values: dict[str, object] = {
        "name": name,
        "NAME": name.upper(),
        "real": c_type,
        "O": O,
        "F": F,
        "kept": declared,
        "missing": learning.missing,
        "codes": ";\n".join(f"   {code}" for code in learning.codes) + ".",
        "weights": learning.W.size,
        "weight": scope.table("readout", learning.W.ravel(), "readout", "i"),
        "begin": begun,
        "made_features": learning.features,
    }

    def text(template: str) -> str:
        return filled(template, values)

    places = {
        "features": text("#define @NAME_FEATURES @F\n"),
        "kept_features": text(FEATURES),
        "readout": text(READOUT),
        "by": text(", const @name_readout *readout"),
        "learn": text(DECLARED),
        "learning": learning.functions,
        "deploy": text(DEPLOY),
    }
    step = tuple(text(STEP).splitlines())
    return Parts(places, text(RESET), step, F + 1, learning.numbers, learning.scratch)
