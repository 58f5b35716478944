"""
Compare our mapper with NengoLoihi's allocators, on the same networks and spikes.

    python benchmarks/mapping.py [--json FILE] [--quick]

Hops are those of an emulated run, at the prices of profile loihi1. A crossing, from
chip to chip, has no published price and is counted apart. Small cases are compared
with the best of all placements, and growth is measured up to a million neurons.
"""

import argparse
import itertools
import json
import sys
import time
import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
from mapping_cases import cases, digits_demo, large
from measure import environment, timed

# isort: split
from nengo_loihi.hardware.allocators import (
    HAS_NXMETIS,
    Greedy,
    GreedyInterchip,
    PartitionInterchip,
    RoundRobin,
)

from nengo_hybrid.graphs import BlockGraph, BlockNeeds
from nengo_hybrid.mapping import hop_cost, place, to_blocks
from nengo_hybrid.placement import Placement, Route
from nengo_hybrid.targets import load_target

SIZES = (1_000, 10_000, 100_000, 1_000_000)
N_RANDOM, N_SMALL, N_BLOCKS_SMALL = 10, 50, 7


def allocators():
    """Return NengoLoihi's allocators by name; one needs nxmetis, if it is there."""
    found = {"Greedy": Greedy, "RoundRobin": RoundRobin}
    found["GreedyInterchip"] = GreedyInterchip
    if HAS_NXMETIS:
        found["PartitionInterchip"] = PartitionInterchip
    return found


def compare(model, graph, trace, target, *, seed=0):
    """
    Price the hops of one network by every mapper.

    Parameters
    ----------
    model : nengo_loihi.builder.Model or None
        None if NengoLoihi has none of this network.
    graph : QuantizedGraph
    trace : Trace
        Gives the spikes, and our mapper the traffic.
    target : Target
    seed : int

    Returns
    -------
    dict
    """
    blocks = to_blocks(graph)
    measured, seconds = timed(place, graph, target, traffic=trace, seed=seed)
    placements = {"ours, measured": measured}
    placements["ours, equal"] = place(graph, target, seed=seed)
    for name, allocator in allocators().items() if model else ():
        board = allocator()(model, measured.n_chips)
        placements[name] = _on_board(measured, model, board)
    found = {
        name: _cost(placement, trace, target) for name, placement in placements.items()
    }
    rng = np.random.default_rng(seed)
    drawn = [
        _cost(_shuffled(measured, target, rng), trace, target) for _ in range(N_RANDOM)
    ]
    found["random"] = {key: float(np.mean([d[key] for d in drawn])) for key in drawn[0]}
    return {
        "n_blocks": len(blocks.blocks),
        "n_chips": measured.n_chips,
        "n_steps": trace.n_steps * trace.n_samples,
        "seconds": seconds,
        "costs": found,
    }


def _cost(placement, trace, target):
    cost = hop_cost(placement, target, traffic=trace)
    steps = trace.n_steps * trace.n_samples
    return {
        "crossings_per_step": cost.crossings / steps,
        "hop_j_per_step": cost.energy_j / steps,
    }


def _on_board(placement, model, board):
    """Put blocks where NengoLoihi's board has them."""
    at = {
        id(block): (i, j)
        for i, chip in enumerate(board.chips)
        for j, core in enumerate(chip.cores)
        for block in core.blocks
    }
    return _moved(placement, [at[id(block)] for block in model.blocks])


def _shuffled(placement, target, rng):
    """Spread blocks over any cores of as many chips."""
    per_chip = target.limit("cores_per_chip")
    n_cores = placement.n_chips * per_chip
    cores = rng.permutation(n_cores)[: len(placement.blocks)]
    return _moved(placement, np.stack(np.divmod(cores, per_chip), axis=1).tolist())


def _moved(placement, at):
    blocks = [
        replace(block, chip=chip, core=core)
        for block, (chip, core) in zip(placement.blocks, at, strict=True)
    ]
    return Placement(placement.target, tuple(blocks), placement.routes)


def compare_optimum(target, *, n_cases):
    """
    Compare with the best of all orders: blocks with random traffic, a core a tile.

    Returns
    -------
    dict
        Ratios of our cost, and of the cost in order, to the least.
    """
    limits = dict(target.limits)
    sizes = {"cores_per_tile": 1, "mesh_columns": 4, "cores_per_chip": N_BLOCKS_SMALL}
    for name, value in sizes.items():
        limits[name] = replace(limits[name], value=value)
    small = replace(target, limits=limits)
    orders = list(itertools.permutations(range(N_BLOCKS_SMALL)))
    ours, in_order = [], []
    for seed in range(n_cases):
        graph = _random_blocks(N_BLOCKS_SMALL, seed)
        placement = place(graph, small)
        least = _least(graph, small, orders)
        start = _moved(placement, [(0, i) for i in range(N_BLOCKS_SMALL)])
        ours.append(hop_cost(placement, small).energy_j / least)
        in_order.append(hop_cost(start, small).energy_j / least)
    return {
        "n_cases": n_cases,
        "n_optimal": int(sum(ratio < 1 + 1e-9 for ratio in ours)),
        "worst": float(max(ours)),
        "in_order_mean": float(np.mean(in_order)),
    }


def _random_blocks(n_blocks, seed):
    rng = np.random.default_rng(seed)
    blocks = [
        BlockNeeds(f"b{i}", "p", np.array([i]), 1, 1, 1, 64) for i in range(n_blocks)
    ]
    routes = [
        Route("p", np.array([i]), i, j, rng.integers(0, 9, 1), np.array([1]))
        for i in range(n_blocks)
        for j in range(n_blocks)
    ]
    return BlockGraph("loihi1", tuple(blocks), tuple(routes))


def _least(graph, target, orders):
    """Return the energy of the best order, by the definition of the cost."""
    messages = np.zeros((len(graph.blocks),) * 2)
    for route in graph.routes:
        messages[route.source, route.target] += route.messages[0]
    n_columns = target.limit("mesh_columns")
    row, column = np.divmod(np.array(orders), n_columns)
    energy = 0
    for i, j in itertools.product(range(len(messages)), repeat=2):
        east_west = target.cost("hop_east_west") * abs(column[:, i] - column[:, j])
        north_south = target.cost("hop_north_south") * abs(row[:, i] - row[:, j])
        energy = energy + messages[i, j] * (east_west + north_south)
    return energy.min()


def measure_growth(target, *, sizes):
    """Time the placing of networks, and measure its memory and that of the blocks."""
    found = {}
    for n_neurons in sizes:
        graph = large(n_neurons)
        placement, seconds = timed(place, graph, target)
        tracemalloc.start()
        place(large(n_neurons), target)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found[n_neurons] = {
            "n_blocks": len(graph.blocks),
            "n_chips": placement.n_chips,
            "n_synapses": int(sum(r.synapses.sum() for r in graph.routes)),
            "seconds": seconds,
            "peak_bytes": peak,
        }
    return found


def show(name, found):
    print(
        f"\n{name}: {found['n_blocks']} blocks, {found['n_chips']} chips, placed in "
        f"{found['seconds']:.2f} s"
    )
    best = found["costs"]["ours, measured"]["hop_j_per_step"]
    for mapper, cost in found["costs"].items():
        ratio = f"{cost['hop_j_per_step'] / best:6.2f}" if best else ""
        print(
            f"  {mapper:20} {cost['crossings_per_step']:9.1f} crossings a step, "
            f"{cost['hop_j_per_step'] * 1e12:9.1f} pJ of hops a step {ratio}"
        )


def main():
    """Print the figures as they come, and with --json write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="small networks only")
    arguments = parser.parse_args()
    target, started = load_target("loihi1"), time.perf_counter()
    figures = {"environment": environment(), "networks": {}}
    place(large(100_000), target)  # compiles
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="nengo")
        figures["networks"]["digits"] = compare(None, *digits_demo(target), target)
        show("digits", figures["networks"]["digits"])
        for name, make in cases().items():
            if arguments.quick and "00 cores" in name:
                continue
            model, run = make(target)
            found = compare(model, run.graph, run.trace, target)
            figures["networks"][name] = found
            show(name, found)
    figures["optimum"] = compare_optimum(target, n_cases=5 if arguments.quick else 50)
    sizes = SIZES[:2] if arguments.quick else SIZES
    figures["growth"] = measure_growth(target, sizes=sizes)
    print("\n", json.dumps({k: figures[k] for k in ("optimum", "growth")}, indent=1))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
    print(f"{time.perf_counter() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
