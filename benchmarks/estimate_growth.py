"""How long an estimate takes, and how much memory, from 1,000 neurons to a million."""

import resource
import sys

import numpy as np
from estimate_networks import scattered
from measure import timed

from nengo_hybrid.estimate import Rates, count_detail, estimate
from nengo_hybrid.targets import load_target

SYNAPSES_PER_NEURON = 100
BLOCK = 1000
ENDS = 10
N_STEPS = 100


def grow(sizes, report):
    """
    Estimate networks of growing size, each neuron with its own rate.

    Returns
    -------
    list of dict
    """
    found = []
    for n_neurons in sizes:
        options = {"per_block": BLOCK, "n_ends": ENDS}
        placement, build_s = timed(scattered, n_neurons, SYNAPSES_PER_NEURON, **options)
        target = load_target(placement.target)
        rng = np.random.default_rng(0)
        rates = Rates(N_STEPS, {"net": rng.uniform(0, 0.2, n_neurons)})
        done, estimate_s = timed(estimate, placement, rates, target)
        detail, detail_s = timed(count_detail, placement, rates, target)
        found.append(
            {
                "n_neurons": n_neurons,
                "n_synapses": sum(int(r.synapses.sum()) for r in placement.routes),
                "n_routes": len(placement.routes),
                "n_cores": placement.n_cores,
                "n_chips": placement.n_chips,
                "build_s": build_s,
                "estimate_s": estimate_s,
                "detail_s": detail_s,
                "peak_mb": peak_mb(),
                "synaptic_ops": done.counts.synaptic_ops,
                "busiest_core_ops": max(
                    core.synaptic_ops for core in detail.cores.values()
                ),
                "step_s": done.latency.step_s,
                "total_j": done.energy.total_j,
                "unpriced": list(done.energy.unpriced),
            }
        )
        report(f"{n_neurons:,} neurons: {estimate_s:.3g} s")
    return found


def peak_mb():
    """Return the most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
