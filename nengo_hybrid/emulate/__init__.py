"""Running what a chip runs, in integers."""

from nengo_hybrid.emulate.chip import run
from nengo_hybrid.emulate.emulator import Emulator
from nengo_hybrid.emulate.floats import run_floats, whole_numbers
from nengo_hybrid.emulate.graded import GradedRun, run_graded
from nengo_hybrid.emulate.memory import free_bytes

__all__ = [
    "Emulator",
    "GradedRun",
    "free_bytes",
    "run",
    "run_floats",
    "run_graded",
    "whole_numbers",
]
