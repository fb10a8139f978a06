"""What an export that goes on learning has beside a step; and that of a readout, whatever its rule and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ...base.types import Numbers
from ..program import Program
from .templates import filled
from .writer import Writer

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
   @NAME_OUTPUTS numbers, @missing where none is known.  Each call learns, however many targets an answer gets.
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


class Parts(NamedTuple):
    """What `source` puts into its two texts.

    Attributes
    ----------
    text : dict
        By place.
    reset : str
        Behind the other statements of NAME_reset.
    before, behind : tuple of str
        Statements of NAME_step in front of the program's calls, and behind them.
    state, learnt : int
        How many numbers there are in NAME_state beside the program's, and in what is learnt.
    step_scratch, scratch : int
        Numbers on the stack of NAME_step beside the program's, and on that of NAME_learn.
    terms : int
        Products that a step adds up beside those of the program.
    """

    text: Mapping[str, str]
    reset: str = ""
    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    state: int = 0
    learnt: int = 0
    step_scratch: int = 0
    scratch: int = 0
    terms: int = 0


# Of an export that does not learn.
NOTHING = Parts(dict.fromkeys(("features", "kept_features", "readout", "by", "learn", "learning", "deploy"), ""))


class Learns(Protocol):
    """What goes on learning, in C."""

    @property
    def word(self) -> str:
        """What is learnt is a NAME_word, and so are variables called."""
        ...

    @property
    def y(self) -> str:
        """Where NAME_step wants the outputs of the program."""
        ...

    @property
    def outputs(self) -> int:
        """Of NAME_step."""
        ...

    def written(self, program: Program) -> Program:
        """What a `Writer` is to write of the program of the model."""
        ...

    def parts(self, name: str, writer: Writer) -> Parts:
        """The text around it; the writer has the tables."""
        ...


class Learning(NamedTuple):
    """What an arithmetic and a rule make of a readout: a `Learns`.

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
    def word(self) -> str:
        return "readout"

    @property
    def y(self) -> str:
        return "state->features"

    def written(self, program: Program) -> Program:
        return program

    def parts(self, name: str, writer: Writer) -> Parts:
        O, F = self.outputs, self.W.shape[1] - 1
        declared, begun, kept = self.kept
        values: dict[str, object] = {
            "name": name,
            "NAME": name.upper(),
            "real": writer.arithmetic.c_type,
            "O": O,
            "F": F,
            "kept": declared,
            "missing": self.missing,
            "codes": ";\n".join(f"   {code}" for code in self.codes) + ".",
            "weights": self.W.size,
            "weight": writer.table("readout", self.W.ravel(), "readout", "i"),
            "begin": begun,
            "made_features": self.features,
        }

        def text(template: str) -> str:
            return filled(template, values)

        places = {
            "features": text("#define @NAME_FEATURES @F\n"),
            "kept_features": text(FEATURES),
            "readout": text(READOUT),
            "by": text(", const @name_readout *readout"),
            "learn": text(DECLARED),
            "learning": self.functions,
            "deploy": text(DEPLOY),
        }
        numbers = int(self.W.size) + kept
        return Parts(
            text=places,
            reset=text(RESET),
            behind=tuple(text(STEP).splitlines()),
            state=F + 1,
            learnt=numbers,
            scratch=self.scratch,
            terms=int(self.W.size),
        )
