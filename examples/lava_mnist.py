"""
Run a network of handwritten digits that Lava-DL trained, on the emulated chip.

    python examples/lava_mnist.py NETWORK.net [N_STEPS [TARGET]]

The network takes one spike train a pixel, and answers with the output neuron that
spikes most. MNIST is looked for in the folder that NENGO_HYBRID_DATA names.
"""

import sys

import numpy as np

import nengo_hybrid as nh
from nengo_hybrid import emulate
from nengo_hybrid.estimate import estimate
from nengo_hybrid.interchange import integrate_and_fire
from nengo_hybrid.mapping import place

AT_ONCE = 1000

path, *options = sys.argv[1:]
n_steps = int(options[0]) if options else 20
target = nh.load_target(options[1] if len(options) > 1 else "loihi1")
graph = nh.load_lava(path, target=target)
placement = place(graph, target)

test = nh.datasets.mnist().test
order = np.random.RandomState(0).permutation(test.x.shape[1])
pixels = np.zeros(test.x.shape[:2])
pixels[:, order] = test.x[:, :, 0]

answers, parts = [], []
for start in range(0, len(pixels), AT_ONCE):
    spikes = integrate_and_fire(pixels[start : start + AT_ONCE], n_steps)
    trace = emulate.run(
        graph, placement, {"input": spikes}, target_sha256=target.sha256
    )
    answers.append(trace.output_spikes.sum(axis=1).argmax(axis=1))
    parts.append(estimate(placement, trace, target))

n = len(pixels)
right = np.count_nonzero(np.concatenate(answers) == test.y)
print(f"{right} of {n} digits right ({right / n:.2%}) in {n_steps} steps each")
print(f"{placement.n_cores} cores")
for name in ("synaptic_ops", "spikes", "host_messages"):
    count = sum(getattr(part.counts, name) for part in parts) / n
    print(f"{count:,.1f} {name} a digit")
for name in ("dynamic_j", "static_j", "total_j", "low_j", "high_j"):
    found = [getattr(part.energy, name) for part in parts]
    energy = "no price" if None in found else f"{np.mean(found) * 1e6:,.2f} uJ"
    print(f"{energy}: {name[:-2]}")
for term in parts[0].energy.terms:
    if term.energy_j is None:
        print(f"  without a price: {term.name}")
print("emulated, not measured")
