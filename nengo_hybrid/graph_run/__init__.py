"""What a graph in floats does: compiled, and for a whole batch at once."""

from nengo_hybrid.graph_run.neurons import run_neurons
from nengo_hybrid.graph_run.run import GraphRun, is_compiled, run_graph

__all__ = ["GraphRun", "is_compiled", "run_graph", "run_neurons"]
