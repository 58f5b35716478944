"""A drop-in for NengoLoihi's simulator, on the compiled emulator."""

from nengo_hybrid.simulator.simulator import LoihiSimulator

__all__ = ["LoihiSimulator"]
