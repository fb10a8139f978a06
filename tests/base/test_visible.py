"""Text of files and tables in a terminal: every character is seen, and a line stays one."""

import pytest

from ltc_np.base import command_line
from ltc_np.base.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é \xa0 名 \\ ' \" $", "plain é \xa0 名 \\ ' \" $"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x7f\x9b2J\x85", "\\x7f\\x9b2J\\x85"),  # an 8-bit escape sequence, and a line's end of other systems
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),  # what turns the direction of writing
        ("\ud800", "\\ud800"),  # half a character, which no terminal takes
        (3, "3"),
    ],
)
def test_what_is_shown(text, shown):
    assert visible(text) == shown


def test_no_character_does_anything():
    """Of Unicode: what is shown encodes, has one line, and holds none of the characters that control."""
    shown = visible("".join(map(chr, [*range(0x3100), *range(0xD800, 0xE000), *range(0xFE00, 0x10000), 0xE0001])))
    shown.encode()
    assert len(shown.splitlines()) == 1
    assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in shown)


def test_reports_and_errors_of_commands(capsys):
    command_line.report({}, ["a\nb", "c\x1b"], as_json=False)
    assert capsys.readouterr().out == "a\\nb\nc\\x1b\n"
    command_line.report({"name": "a\x1b"}, [], as_json=True)
    assert capsys.readouterr().out == '{\n "name": "a\\u001b"\n}\n'
    assert command_line.line(ValueError("a\nb\x1b[2J")) == "a b\\x1b[2J"
    assert command_line.line(OSError(2, "None\x1b", "x\x07")) == "x\\x07: None\\x1b"
