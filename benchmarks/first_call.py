"""
Time the first call into our emulator's compiled code, and the next one.

    python benchmarks/first_call.py

A process of its own, since only its first call compiles, or loads from the disk.
Prints JSON.
"""

import json

import numpy as np
from chip_models import scaling
from measure import seconds

# isort: split
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.lower import read_chip


def main():
    """Print the seconds of both calls."""
    emulator = Emulator(read_chip(scaling(100, fan_out=10)), 1, seed=0, n_threads=1)
    lines = np.zeros((1, 10, emulator.graph.n_lines), np.int16)
    first_s, next_s = (seconds(emulator.run, lines) for _ in range(2))
    print(json.dumps({"first_s": first_s, "next_s": next_s}))


if __name__ == "__main__":
    main()
