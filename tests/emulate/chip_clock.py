"""
A graph in integers on the chip's own clock, one message at a time, in plain Python.

Written from the equations of `nengo_hybrid.graphs.programs` alone: a message that is
sent in a time step arrives in the next, or as many later as its synapses hold it; a
population acts once in every ``chip_steps``, at its phase, on what arrived by then.
With resets, every population counts for itself: after so many steps its registers are
as in the beginning, and for as many steps as a message may be late it drops what
arrives.
"""

from collections import defaultdict

import numpy as np


def run_on_clock(graph, x, reset_interval=None):
    """
    Run one sample.

    Parameters
    ----------
    graph : GradedGraph
    x : (n_steps, size_in) int array
    reset_interval : int, optional
        Steps after which all starts anew.

    Returns
    -------
    dict of str to (n_steps, n_neurons) int array
        What each population sends.
    int
        The largest sum or state on the way.
    int
        Time steps it took.
    """
    n_steps, period = len(x), graph.chip_steps
    interval, pause = reset_interval or n_steps, graph.longest_delay
    n_in_all = n_steps + (n_steps - 1) // interval * pause
    sent = {p.name: np.zeros((n_steps, p.n_neurons), object) for p in graph.populations}
    registers = {}
    arrived, largest = defaultdict(int), 0
    n_time_steps = n_in_all * period + max(graph.phases.values())
    for time in range(n_time_steps):
        for population in graph.populations:
            step, early = divmod(time - graph.phases[population.name], period)
            if early or not 0 <= step < n_in_all:
                continue
            n_before, step = divmod(step, interval + pause)
            if step == 0:
                registers[population.name] = {
                    k: [int(i) for i in v] for k, v in population.initial_state.items()
                }
            heard = [
                int(arrived.pop((time, population.name, j), 0))
                for j in range(population.n_neurons)
            ]
            if step >= interval:
                continue
            step += n_before * interval
            if population.is_input:
                out = [int(i) for i in x[step]]
            else:
                state = registers[population.name]
                out, most = act(population, heard, state, graph.widths)
                largest = max(largest, most, *map(abs, heard))
            sent[population.name][step] = out
            for projection in graph.projections:
                if projection.pre == population.name:
                    at = time + 1 + graph.synaptic_delay(projection)
                    for j, row in enumerate(projection.weights):
                        total = sum(int(w) * k for w, k in zip(row, out, strict=True))
                        arrived[at, projection.post, j] += total << projection.exponent
    return sent, largest, n_time_steps


def act(population, heard, registers, widths):
    """Run a program once; return what its neurons send, and the largest state."""
    p = {name: [int(i) for i in v] for name, v in population.parameters.items()}
    n = population.n_neurons
    if population.program in ALONE:
        return act_alone(population.program, p, heard, registers, 2**widths.factor)
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


ALONE = {
    "cuba lif",
    "cuba lif, subtracting",
    "integrate-and-fire",
    "integrate-and-fire, subtracting",
    "leaky",
    "sigma-delta",
    "delta",
    "sigma",
}


def act_alone(program, p, heard, registers, one):
    """Run neurons that know nothing of each other, one after the other."""
    sent, largest = [], 0
    for j, i in enumerate(heard):
        own = {name: values[j] for name, values in p.items()}
        state = {name: values[j] for name, values in registers.items()}
        if program == "leaky":
            total = int(state["v"] * (one - own["decay_v"]) / one) + i + own["bias"]
            state["v"] = total
            out, sizes = total // 2 ** own["shift"], [total]
        elif program == "sigma":
            state["sigma"] += i
            out, sizes = state["sigma"], [state["sigma"]]
        elif program in ("sigma-delta", "delta"):
            out, sizes = sigma_delta(own, state, i)
        else:
            out, sizes = integrate(program, own, state, i, one)
        sent.append(out)
        largest = max(largest, *map(abs, sizes))
        for name, value in state.items():
            registers[name][j] = value
    return sent, largest


def sigma_delta(own, state, i):
    """Do as lava-nc has it: activation, and what was held back."""
    activation = i
    if "sigma" in state:
        state["sigma"] += i
        activation = max(0, state["sigma"] + own["bias"])
    change = activation - state["told"]
    sizes = [state.get("sigma", 0), activation, change]
    if abs(change) < own["threshold"]:
        return 0, sizes
    state["told"] = activation
    return change // 2 ** own["shift"], sizes


def integrate(program, own, state, i, one):
    """Run an integrate-and-fire neuron."""
    sizes = []
    if program.startswith("cuba"):
        state["u"] = int(state["u"] * (one - own["decay_u"] - 1) / one) + i
        i = state["u"]
        sizes.append(i)
        if state["wait"]:
            state["wait"] -= 1
            return 0, sizes
        state["v"] = int(state["v"] * (one - own["decay_v"]) / one)
    state["v"] += i + own["bias"]
    state["v"] = max(state["v"], own["minimum"])
    sizes.append(state["v"])
    if state["v"] <= own["threshold"]:
        return 0, sizes
    state["v"] = state["v"] - own["threshold"] if "subtracting" in program else 0
    if "wait" in state:
        state["wait"] = own["refractory"]
    return 1, sizes


def turn(m, p):
    for a in range(0, len(m) - 1, 2):
        x, y = m[a], m[a + 1]
        for _ in range(p["quarter"][a]):
            x, y = -y, x
        x -= p["tangent"][a] * y // 4096
        y += p["sine"][a] * x // 4096
        x -= p["tangent"][a] * y // 4096
        m[a], m[a + 1] = x, y
