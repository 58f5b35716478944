"""A tiny run that can be counted by hand, and random ones that cannot."""

import types

import numpy as np
import pytest

from nengo_hybrid.placement import PlacedBlock, Placement, Route, Utilization
from nengo_hybrid.targets import load_target
from nengo_hybrid.trace import PopulationTrace, Trace


def block(name, population, neurons, core, chip=0):
    """Place neurons of a population on a core."""
    used = Utilization((len(neurons), 1024), (0, 4096), (0, 4096), (0, 1048576))
    return PlacedBlock(name, population, np.array(neurons, int), chip, core, used)


def route(population, neurons, source, target, messages, synapses):
    """Route neurons of a population to a block."""
    arrays = (np.array(x, dtype=int) for x in (messages, synapses))
    return Route(population, np.array(neurons, int), source, target, *arrays)


def population(on_chip, spikes, active=None, inactive=None):
    """Trace a population; updates are 0 if not given."""
    spikes = np.array(spikes, dtype=np.int32)
    idle = np.zeros(spikes.shape[:2], dtype=int)
    active = idle if active is None else np.array(active)
    inactive = idle if inactive is None else np.array(inactive)
    fan_out = np.zeros(spikes.shape[-1], int)
    return PopulationTrace(on_chip, spikes, active, inactive, fan_out)


def trace(populations, **changes):
    """Trace a run of loihi1 that ends in population 'out'."""
    n_samples, n_steps, _ = populations["out"].spikes.shape
    fields = {
        "backend": "emulator",
        "target": "loihi1",
        "target_sha256": "0",
        "graph_sha256": "0",
        "seed": 0,
        "n_samples": n_samples,
        "n_steps": n_steps,
        "n_input_steps": n_steps,
        "output": "out",
        "populations": populations,
        "host_macs_per_step": 7,
        "host_updates_per_step": 2,
    }
    return Trace(**{**fields, **changes})


@pytest.fixture
def make():
    """Return the functions that make a run."""
    return types.SimpleNamespace(
        block=block, route=route, population=population, trace=trace
    )


@pytest.fixture
def loihi1():
    return load_target("loihi1")


@pytest.fixture
def tiny_placement():
    """
    Place 4 neurons on 3 tiles.

    Tiles have 4 cores and rows have 8 tiles, so core 0 is on the tile of column 0
    and row 0, core 8 of column 2 and row 0, core 37 of column 1 and row 1.
    """
    return Placement(
        "loihi1",
        (
            block("hidden[0]", "hidden", [0, 1], core=0),
            block("out", "out", [0], core=8),
            block("hidden[1]", "hidden", [2], core=37),
        ),
        (
            route("in", [0, 1], None, 0, [1, 1], [10, 3]),
            route("hidden", [0, 1], 0, 1, [1, 1], [1, 1]),
            route("hidden", [2], 2, 1, [2], [5]),
        ),
    )


@pytest.fixture
def tiny_trace():
    """Trace one sample of three steps."""
    return trace(
        {
            "in": population(False, [[[1, 0], [1, 1], [0, 0]]]),
            "hidden": population(
                True, [[[0, 0, 0], [1, 0, 1], [0, 1, 1]]], [[0, 2, 3]], [[3, 1, 0]]
            ),
            "out": population(True, [[[0], [0], [1]]], [[0, 0, 1]], [[1, 1, 0]]),
        }
    )


@pytest.fixture
def random_run():
    """Return a function of a seed that makes a placement and a trace."""

    def random_run(seed):
        rng = np.random.default_rng(seed)
        n_samples, n_steps = rng.integers(1, 4), rng.integers(1, 6)
        sizes = {"a": rng.integers(1, 5), "out": rng.integers(1, 5)}
        blocks = []
        for name, size in sizes.items():
            cut = rng.integers(0, size)
            for part in (range(cut), range(cut, size)):
                if part:
                    core, chip = rng.integers(128), rng.integers(2)
                    n_blocks = len(blocks)
                    blocks.append(
                        block(f"b{n_blocks}", name, part, int(core), int(chip))
                    )
        sizes["in"] = rng.integers(1, 5)
        routes = []
        for _ in range(rng.integers(0, 7)):
            source = rng.integers(-1, len(blocks))
            name = "in" if source < 0 else blocks[source].population
            known = np.arange(sizes["in"]) if source < 0 else blocks[source].neurons
            neurons = rng.permutation(known)[: rng.integers(0, len(known) + 1)]
            n = len(neurons)
            routes.append(
                route(
                    name,
                    neurons,
                    None if source < 0 else int(source),
                    int(rng.integers(len(blocks))),
                    rng.integers(1, 3, n),
                    rng.integers(0, 200, n),
                )
            )
        populations = {}
        for name, size in sizes.items():
            on_chip = name != "in"
            shape = (n_samples, n_steps, size)
            spikes = (
                rng.integers(0, 2, shape) if on_chip else rng.integers(-3, 4, shape)
            )
            active = rng.integers(0, size + 1, shape[:2]) * on_chip
            inactive = (size - active) * on_chip
            populations[name] = population(on_chip, spikes, active, inactive)
        placement = Placement("loihi1", tuple(blocks), tuple(routes))
        return placement, trace(populations)

    return random_run
