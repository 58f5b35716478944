"""Compare simulators of networks with a Python node in the loop at every step."""

import functools
import time
import warnings

import numpy as np
from measure import alternate, ratios, seconds, spread, timed
from networks import convnet, dense, recurrent

# isort: split
import nengo_loihi

import nengo_hybrid as nh


def closed_cases():
    """Return, by name, how to make each network."""
    return {
        f"closed-{make.__name__}": functools.partial(make, closed=True)
        for make in (convnet, dense, recurrent)
    }


def compare_closed(make, scale):
    """
    Compare NengoLoihi's simulator with ours, a step of the host for each of the chip.

    What the host does alone in such a step is the bound for any emulator: Nengo's own
    simulator computes it, for theirs and for ours.

    Returns
    -------
    dict
        Times in seconds per step; every ratio is theirs to ours.
    """
    networks = make(), make()
    options = {"precompute": False, "progress_bar": False, "seed": 0}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Model is precomputable")
        theirs, their_build_s = timed(
            nengo_loihi.Simulator, networks[0], target="sim", **options
        )
        ours, our_build_s = timed(nh.LoihiSimulator, networks[1], **options)
    with theirs, ours:
        for simulator in (theirs, ours):
            simulator.run_steps(10)
        n = scale.n_closed_steps
        host = ours._hosts[0]
        times = alternate(
            {
                "theirs": lambda _: seconds(theirs.run_steps, n) / n,
                "ours": lambda _: seconds(ours.run_steps, n) / n,
                "host": lambda _: _host_seconds(ours, host, n) / n,
            },
            scale.n_repetitions,
        )
    heard = [np.array(network.heard[1:]) for network in networks]
    if not np.array_equal(heard[0], heard[1][: len(heard[0])]) or not heard[0].any():
        raise RuntimeError("the simulators disagree about what the node was told")
    return {
        "n_neurons": ours.graph.n_compartments,
        "n_steps": n,
        "seconds_per_step": {name: spread(found) for name, found in times.items()},
        "times_faster": ratios(times["theirs"], times["ours"]),
        "times_faster_at_most": ratios(times["theirs"], times["host"]),
        "host_share_of_ours": ratios(times["host"], times["ours"]),
        "their_build_s": their_build_s,
        "our_build_s": our_build_s,
    }


def _host_seconds(simulator, host, n_steps):
    """Run some steps; return what the host's own ones took of it."""
    advance, spent = host.advance, []

    def timed_step(beside):
        started = time.perf_counter()
        advance(beside)
        spent.append(time.perf_counter() - started)

    host.advance = timed_step
    try:
        simulator.run_steps(n_steps)
    finally:
        del host.advance
    return sum(spent)
