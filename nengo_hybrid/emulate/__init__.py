"""Running graphs: the host's part in floats, the chip's part in integers."""

from nengo_hybrid.emulate.chip import run
from nengo_hybrid.emulate.emulator import Emulator
from nengo_hybrid.emulate.host import run_graph
from nengo_hybrid.emulate.memory import free_bytes

__all__ = ["Emulator", "free_bytes", "run", "run_graph"]
