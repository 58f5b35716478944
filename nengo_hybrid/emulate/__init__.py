"""Running what a chip runs, in integers."""

from nengo_hybrid.emulate.chip import run
from nengo_hybrid.emulate.emulator import Emulator
from nengo_hybrid.emulate.floats import run_floats, whole_numbers
from nengo_hybrid.emulate.memory import free_bytes

__all__ = ["Emulator", "free_bytes", "run", "run_floats", "whole_numbers"]
