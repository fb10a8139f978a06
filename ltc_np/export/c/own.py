"""Functions of float that need no library."""

DEFINITIONS: dict[str, str] = {}
NEEDS: dict[str, tuple[str, ...]] = {}
ORDER: tuple[str, ...] = ()
