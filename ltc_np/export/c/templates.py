"""Text with places to fill: `@word`, since C needs braces, percents and dollars for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping


def filled(template: str, values: Mapping[str, object]) -> str:
    """``template`` with each `@word` replaced by the value of the longest name that ``word`` begins with."""
    names = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
    text = re.sub(f"@({names})", lambda found: str(values[found[1]]), template)
    if "@" in text:
        raise ValueError(f"`template` has a place without a value: {text[text.index('@') :][:40]!r}")
    return text
