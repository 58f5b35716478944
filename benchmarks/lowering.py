"""
Try other ways to lower the digits demo, and take its output layer apart.

    for s in 0 1 2; do nengo-hybrid train digits --out runs/$s --seed $s; done
    python benchmarks/lowering.py runs/?/bundle.zip

Prints accuracies over all bundles: on the training part, on the validation part that
a choice may be made on, and on the test part.
"""

import sys
from dataclasses import replace

import numpy as np

from nengo_hybrid import datasets, emulate
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.metrics import classify
from nengo_hybrid.targets import load_target

PARTS = ("train", "validation", "test")
HIDDEN, OUTPUT, INJECTED = "lmu.hidden", "output", "lmu.readout"
# Factors of the hidden layer's threshold (what follows is left as it is), of the
# counts that a layer sends for the same drive, and the chip's steps per input step.
VARIANTS = [
    {},
    *({"threshold": factor} for factor in (0.95, 0.9, 0.85, 0.8)),
    *({"hidden": factor} for factor in (0.75, 1.5)),
    *({"output": factor} for factor in (0.75, 1.25, 2)),
    *({"chip_steps": n} for n in (6, 8)),
    *({"chip_steps": n, "threshold": 0.9} for n in (6, 8)),
    {"threshold": 0.9, "output": 1.25},
]


def changed(graph, *, threshold=1.0, hidden=1.0, output=1.0):
    """Return the graph with other thresholds and resolutions."""
    found = []
    for p in graph.populations:
        if p.name == HIDDEN:
            # A lower threshold is a larger omega whose spikes weigh as before.
            omega, amplitude = p.omega * hidden / threshold, p.amplitude / threshold
            p = replace(p, omega=omega, amplitude=amplitude)
        elif p.name == OUTPUT:
            p = replace(p, omega=p.omega * output)
        found.append(p)
    return replace(graph, populations=tuple(found))


def deployed(graph, counts, chip_steps=4):
    """Run a graph on the emulated chip; return its trace."""
    quantized = to_loihi(graph, chip_steps=chip_steps)
    placement = place(quantized, load_target("loihi1"))
    return emulate.run(quantized, placement, counts)


def output_spikes(drive, *, rectify=False, one_bit=False, to_zero=False):
    """
    Compute the output layer, alone, from its drive.

    Parameters
    ----------
    drive : (n_samples, n_steps, n_outputs) array
        In thresholds.
    rectify : bool
        Cut the drive of a step at zero, or else the voltage.
    one_bit, to_zero : bool
        Send at most one spike a step; reset to zero.
    """
    voltage, counts = np.zeros(drive[:, 0].shape), np.zeros(drive.shape)
    for step in range(drive.shape[1]):
        into = drive[:, step]
        voltage = np.maximum(voltage + (np.maximum(into, 0) if rectify else into), 0)
        count = np.minimum(np.floor(voltage), 1) if one_bit else np.floor(voltage)
        voltage = np.where(to_zero & (count > 0), 0, voltage - count)
        counts[:, step] = count
    return counts


def taken_apart(graph, trace, steps, chip_steps=4):
    """Yield answers of output layers on the hidden spikes of the deployed network."""
    (into,) = graph.into(OUTPUT)
    hidden, output = graph.population(HIDDEN), graph.population(OUTPUT)
    per_spike = into.weights.T * hidden.amplitude * output.omega / hidden.omega
    # They reach the output a step of the chip after the input reached them.
    spikes = trace.populations[HIDDEN].spikes[
        :, 1 : 1 + trace.n_input_steps * chip_steps
    ]
    fine = spikes @ per_spike + output.bias * output.omega * graph.dt / chip_steps
    whole = fine.reshape(len(fine), -1, chip_steps, fine.shape[2]).sum(axis=2)
    even = np.repeat(whole, chip_steps, axis=1) / chip_steps
    for name, drive, kind in (
        ("whole steps, drive rectified", whole, {"rectify": True}),
        ("whole steps, voltage cut at 0", whole, {}),
        ("chip steps, one bit", fine, {"one_bit": True}),
        ("chip steps, one bit, to zero", fine, {"one_bit": True, "to_zero": True}),
        ("the same, drive even in a step", even, {"one_bit": True, "to_zero": True}),
        ("even, twice the drive", 2 * even, {"one_bit": True, "to_zero": True}),
    ):
        window = steps * (1 if drive is whole else chip_steps)
        yield name, classify(output_spikes(drive, **kind), window)


def main(paths):
    """Print a row per network and way to lower it."""
    right = {}

    def note(name, part, answers, labels):
        rows = right.setdefault(name, {p: [] for p in PARTS})
        rows[part].append(answers == labels)

    for path in paths:
        bundle = load_bundle(path)
        seed, steps = bundle.about["seed"], bundle.about["readout_steps"]
        graph, data = bundle.graph, datasets.digits(seed)
        for part in PARTS:
            split = getattr(data, part)
            counts = run_graph(graph, split.x, seed=seed, record=[INJECTED, OUTPUT])
            note("hybrid", part, classify(counts.pop(OUTPUT), steps), split.y)
            for variant in VARIANTS:
                rest = dict(variant)
                chip_steps = rest.pop("chip_steps", 4)
                trace = deployed(changed(graph, **rest), counts, chip_steps)
                answers = classify(trace.output_spikes, steps * chip_steps)
                words = ", ".join(f"{k} {v}" for k, v in variant.items())
                note(words or "deployed", part, answers, split.y)
                if not variant:
                    for name, answers in taken_apart(graph, trace, steps):
                        note(f"output: {name}", part, answers, split.y)
    print(f"{'':40s}" + "".join(f"{part:>12s}" for part in PARTS))
    for name, rows in right.items():
        scores = (100 * np.concatenate(rows[part]).mean() for part in PARTS)
        print(f"{name:40s}" + "".join(f"{score:10.2f} %" for score in scores))


if __name__ == "__main__":
    main(sys.argv[1:])
