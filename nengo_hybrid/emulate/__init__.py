"""Running graphs: for now the host's part, in floats."""

from nengo_hybrid.emulate.host import run_graph

__all__ = ["run_graph"]
