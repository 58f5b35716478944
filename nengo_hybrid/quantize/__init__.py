"""Round a network in floats to the integers of a chip with graded spikes."""

from nengo_hybrid.quantize.network import quantize

__all__ = ["quantize"]
