"""What builds the two files: CMakeLists.txt and an Arduino sketch."""

from __future__ import annotations

from collections.abc import Mapping

from .arithmetic import Arithmetic
from .templates import filled

CMAKE = """\
# The library @name and its test:
#
#     cmake -B build && cmake --build build && ctest --test-dir build
cmake_minimum_required(VERSION 3.13)
project(@name C)

set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

add_library(@name STATIC @name.c)
target_include_directories(@name PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
if(UNIX)
  target_link_libraries(@name PUBLIC m)
endif()

enable_testing()
add_executable(@name_test @name_test.c)
target_link_libraries(@name_test PRIVATE @name)
add_test(NAME @name_test COMMAND @name_test)
"""

SKETCH = """\
// Runs @name on an Arduino board and prints its outputs.  Boards with an 8-bit AVR keep the tables in RAM, where
// large networks have no room.
@real_numbers#include "@name.h"

static @name_state state;@readout
static @real x[@NAME_INPUTS];
static @real y[@NAME_OUTPUTS];
@before
void setup() {
  Serial.begin(115200);
  @name_reset(&state);@deploy@begin
}

void loop() {
  for (int i = 0; i < @NAME_INPUTS; i++) {
    x[i] = @zero;  // your sensors, in the units that the network was trained with
  }
@step@learn
  for (int i = 0; i < @NAME_OUTPUTS; i++) {
    Serial.print(@shown);
    Serial.print(i < @NAME_OUTPUTS - 1 ? '\\t' : '\\n');
  }
}
"""
WITH_TIME = """\
  const unsigned long now = micros();
  @result@name_step(&state@by, x, @elapsed, y);  // seconds, if the network was trained with seconds
  before = now;"""
WAIT = """
  if (!is_new) {
    return;
  }"""

LEARNS = {
    "readout": "\nstatic @name_@word @word;",
    "deploy": "\n  @name_deploy(&@word);",
    "by": ", &@word",
    "learn": "\n  // where the target of y is known: @name_learn(&@word, &state, target);",
}


def build_files(
    name: str, arithmetic: Arithmetic, takes_dt: bool, strided: bool, files: Mapping[str, str], word: str | None
) -> dict[str, str]:
    """Files by name; ``files`` are the two of the export, which an Arduino sketch wants in its own folder; ``word`` is
    what learns, or None.  Of a ``strided`` program NAME_step says whether its outputs are new."""
    is_real = arithmetic.c_type in ("float", "double")
    seconds = f"(now - before) * ({arithmetic.c_type if is_real else 'double'})1e-6"
    values = {
        "name": name,
        "NAME": name.upper(),
        "real": arithmetic.c_type,
        "real_numbers": "" if is_real else f"#define {name.upper()}_REAL  // conversions from and to real numbers\n",
        "zero": arithmetic.from_real(name, "x", "0"),
        "elapsed": arithmetic.from_real(name, "dt", seconds),
        "shown": arithmetic.to_real(name, "y[i]"),
        "before": "static unsigned long before;\n" if takes_dt else "",
        "begin": "\n  before = micros();" if takes_dt else "",
        **{place: filled(text, {"name": name, "word": word}) if word else "" for place, text in LEARNS.items()},
    }
    values["result"] = "const int is_new = " if strided else ""
    step = filled(WITH_TIME if takes_dt else "  @result@name_step(&state@by, x, y);", values) + WAIT * strided
    sketch = filled(SKETCH, values | {"step": step})
    folder = f"arduino/{name}"
    return {
        "CMakeLists.txt": filled(CMAKE, values),
        f"{folder}/{name}.ino": sketch,
        **{f"{folder}/{file}": text for file, text in files.items()},
    }
