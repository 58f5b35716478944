"""Networks of other people's tools, read from and written to their files."""

from nengo_hybrid.interchange.lava import load_lava
from nengo_hybrid.interchange.lava_graded import load_lava_graded
from nengo_hybrid.interchange.lava_input import (
    LavaInput,
    integrate_and_fire,
    load_lava_input,
)
from nengo_hybrid.interchange.nir import load_nir, save_nir

__all__ = [
    "LavaInput",
    "integrate_and_fire",
    "load_lava",
    "load_lava_graded",
    "load_lava_input",
    "load_nir",
    "save_nir",
]
