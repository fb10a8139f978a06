"""Write the scripts of docs/live/networks.html that are made of trained networks and of C.

    python docs/scripts/live_networks.py      # needs clang and lld

pendulum.npz (by examples/pendulum.py --write-docs) and spiral.npz (by docs/scripts/live_spiral.py) become
pendulum_network.js and spiral_network.js; examples/pendulum_c/cart_pole.c becomes cart_pole.js; numbers.js says what
the pages draw with.
"""

import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
LIVE = ROOT / "docs" / "live"
sys.path[:0] = [str(ROOT / "examples"), str(pathlib.Path(__file__).parent)]

import cart_pole  # noqa: E402
import live_spiral  # noqa: E402
import pendulum_c  # noqa: E402

from ltc_np import load  # noqa: E402
from ltc_np.base import files  # noqa: E402
from ltc_np.export import web  # noqa: E402

OF_SPIRAL = "TURN", "GROWTH", "UNIT", "SHORTEST", "LONGEST"
OF_TIMES = "LEAST", "MOST"
PLANT = """\
/* The cart and the pole of examples/cart_pole.py: examples/pendulum_c/cart_pole.c as WebAssembly, written by
   docs/scripts/live_networks.py. */
"use strict";
globalThis.cart_pole = {
  async create() {
    const bytes = Uint8Array.from(atob(this.code), (letter) => letter.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes, { env: { sin: Math.sin, cos: Math.cos } });
    const { memory, plant_state, plant_move } = instance.exports;
    return { state: new Float64Array(memory.buffer, plant_state(), 4), move: plant_move };
  },
  code:
%s,
};
"""


def numbers(network):
    """What the pages' own scripts need to know, as JavaScript; ``network`` is that of the pendulum."""
    wiring = network.layers[0].wiring
    found = {
        "cart_pole": pendulum_c.NUMBERS | {name: getattr(cart_pole, name) for name in OF_TIMES},
        "spiral": {name: getattr(live_spiral, name) for name in OF_SPIRAL},
        "kinds": [wiring.get_type_of_neuron(n) for n in range(wiring.units)],
    }
    return (
        f'// Written by docs/scripts/live_networks.py.\n"use strict";\nconst numbers = {json.dumps(found, indent=2)};\n'
    )


def plant():
    """cart_pole.js."""
    folder = pendulum_c.FOLDER
    with tempfile.TemporaryDirectory() as temporary:
        (pathlib.Path(temporary) / "pendulum_numbers.h").write_text(pendulum_c.numbers(), encoding="utf-8")
        code = web.compiled(
            [folder / "page.c", folder / "cart_pole.c"],
            ["plant_state", "plant_move"],
            [folder, temporary],
            ["sin", "cos"],
        )
    return PLANT % web.quoted(code)


def main():
    for name in ("pendulum", "spiral"):
        web.write(load(LIVE / f"{name}.npz"), LIVE / f"{name}_network.js", f"{name}_network")
    for name, text in (("cart_pole", plant()), ("numbers", numbers(load(LIVE / "pendulum.npz")))):
        files.write(LIVE / f"{name}.js", lambda file, text=text: file.write(text.encode("utf-8")))
    for file in sorted(LIVE.glob("*.js")):
        print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
