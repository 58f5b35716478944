"""
A graph in integers on the chip's own clock, one message at a time, in plain Python.

Written from the equations of `nengo_hybrid.programs` alone: a message that is sent in a
time step arrives in the next, or as many later as its synapses hold it; a population
acts once in every ``chip_steps``, at its phase, on what arrived by then.
"""

from collections import defaultdict

import numpy as np


def run_on_clock(graph, x):
    """
    Run one sample.

    Parameters
    ----------
    graph : GradedGraph
    x : (n_steps, size_in) int array

    Returns
    -------
    dict of str to (n_steps, n_neurons) int array
        What each population sends.
    int
        The largest sum or state on the way.
    """
    n_steps, period = len(x), graph.chip_steps
    sent = {p.name: np.zeros((n_steps, p.n_neurons), object) for p in graph.populations}
    registers = {
        p.name: {k: [int(i) for i in v] for k, v in p.initial_state.items()}
        for p in graph.populations
    }
    arrived, largest = defaultdict(int), 0
    for time in range(n_steps * period + max(graph.phases.values())):
        for population in graph.populations:
            step, early = divmod(time - graph.phases[population.name], period)
            if early or not 0 <= step < n_steps:
                continue
            heard = [
                int(arrived.pop((time, population.name, j), 0))
                for j in range(population.n_neurons)
            ]
            if population.is_input:
                out = [int(i) for i in x[step]]
            else:
                out, most = act(population, heard, registers[population.name])
                largest = max(largest, most, *map(abs, heard))
            sent[population.name][step] = out
            for projection in graph.projections:
                if projection.pre == population.name:
                    at = time + 1 + graph.synaptic_delay(projection)
                    for j, row in enumerate(projection.weights):
                        total = sum(int(w) * k for w, k in zip(row, out, strict=True))
                        arrived[at, projection.post, j] += total << projection.exponent
    return sent, largest


def act(population, heard, registers):
    """Run a program once; return what its neurons send, and the largest state."""
    p = {name: [int(i) for i in v] for name, v in population.parameters.items()}
    n = population.n_neurons
    if population.program == "sum":
        sent = [heard[j] + p["bias"][j] for j in range(n)]
        return sent, max(map(abs, sent))
    if population.program == "rotor":
        turn(registers["m"], p)
        for j in range(n):
            registers["m"][j] += heard[j]
        into = [
            (p["gain"][j] * registers["m"][j]) >> p["gain_shift"][j] for j in range(n)
        ]
    else:
        into = [heard[j] + p["bias"][j] for j in range(n)]
        if population.program == "relu quantizer":
            into = [max(i, 0) for i in into]
    sent, largest = [], max(map(abs, registers.get("m", [0])))
    for j in range(n):
        total = registers["v"][j] + into[j]
        largest = max(largest, abs(total))
        sent.append(total // 2 ** p["shift"][j])
        registers["v"][j] = total - sent[j] * 2 ** p["shift"][j]
    return sent, largest


def turn(m, p):
    for a in range(0, len(m) - 1, 2):
        x, y = m[a], m[a + 1]
        for _ in range(p["quarter"][a]):
            x, y = -y, x
        x -= p["tangent"][a] * y // 4096
        y += p["sine"][a] * x // 4096
        x -= p["tangent"][a] * y // 4096
        m[a], m[a + 1] = x, y
