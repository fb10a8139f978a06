"""Many exports in one program, which reads inputs and writes outputs: one run of a compiler for dozens of models."""

import numpy as np

from ltc_np.export.c.floats import Floats
from ltc_np.export.c.prepare import prepared
from ltc_np.export.c.source import source
from ltc_np.export.lower import program
from support import compilers

HEAD = """
#include <stdio.h>
#include <string.h>

/* Whether products of these numbers stay finite: those of a state that an unstable solver lets grow do not. */
static int is_tame(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!(values[i] < 1e30f && values[i] > -1e30f)) {
            return 0;
        }
    }
    return 1;
}
"""
# Of each model: all steps of all sequences.  Steps of no time must leave each bit of a state where the model says so.
MODEL = """
static void run_@name(FILE *in, FILE *out)
{
    @name_state state, before;
    float x[@NAME_INPUTS], y[@NAME_OUTPUTS], dt;
    int changed = 0;
    for (int t = 0; t < SEQUENCES * STEPS; t++) {
        if (t % STEPS == 0) {
            @name_reset(&state);
        }
        if (fread(x, sizeof *x, @NAME_INPUTS, in) != @NAME_INPUTS || fread(&dt, sizeof dt, 1, in) != 1) {
            return;
        }
        before = state;
        @name_step(&state, x@dt, y);
        if (IDENTITY_@name && !(dt > 0) && is_tame(before.values, sizeof before / sizeof(float))) {
            changed += memcmp(&before, &state, sizeof state) != 0;
        }
        fwrite(y, sizeof *y, @NAME_OUTPUTS, out);
    }
    if (changed != 0) {
        printf("@name: %d steps of no time changed the state\\n", changed);
    }
}
"""


def outputs(models, inputs, folder, compiler, flags=(), libm=True, unroll=False):
    """The outputs (B, T, O) of each model over ``inputs``, a list of (x (B, T, I), dt (B, T)).

    What the program prints must be nothing.
    """
    B, steps = inputs[0][1].shape
    text = [HEAD, f"#define SEQUENCES {B}\n#define STEPS {steps}\n"]
    for k, model in enumerate(models):
        name, ready = f"m{k}", prepared(program(model))
        written = source(ready, name, Floats("float", libm), unroll, "")
        (folder / f"{name}.h").write_text(written.header)
        own = MODEL.replace("@NAME", name.upper()).replace("@name", name)
        identity = int(model.takes_dt and model.layer_stack.dt0_identity)
        text += [written.source, f"#define IDENTITY_{name} {identity}\n"]
        text.append(own.replace("@dt", ", dt" if model.takes_dt else ""))
    calls = "".join(f"    run_m{k}(in, out);\n" for k in range(len(models)))
    files = '    FILE *in = fopen("in", "rb"), *out = fopen("out", "wb");\n'
    text.append(f"int main(void)\n{{\n{files}{calls}    fclose(in);\n    return fclose(out);\n}}\n")
    (folder / "all.c").write_text("\n".join(text))
    with open(folder / "in", "wb") as file:
        for x, dt in inputs:
            np.concatenate([x, dt[..., None]], axis=2).astype(np.float32).tofile(file)
    link = ["-lm"] if libm else []
    compilers.run(compiler, *compilers.WARNINGS, *flags, "all.c", "-o", "all", *link, cwd=folder, timeout=900)
    assert compilers.run(folder / "all", cwd=folder, timeout=900) == ""
    found, at = np.fromfile(folder / "out", np.float32), 0
    for model in models:
        size = B * steps * model.output_size
        yield found[at : at + size].reshape(B, steps, model.output_size)
        at += size
    assert at == found.size
