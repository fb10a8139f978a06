"""Feature-wise mappings of arrays on the host, where those of the CPU serve; on the card see `features`."""

from ..cpu.mapping import bind, d_map_features, map_features  # noqa: F401  (called by cells)
