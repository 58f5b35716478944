"""
What the whole way is reported as: accuracy, activity, resources, what runs where.

Like `nengo_hybrid.pipeline` this knows the order of the stages; it computes what no
stage does, from what they made.
"""

import platform
from importlib import metadata

import numpy as np

from nengo_hybrid.emulate import GradedRun
from nengo_hybrid.estimate import neurobench_metrics
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import GradedGraph
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.version import version

STAMP = "emulated, not measured"
PACKAGES = ("nengo", "nengo-dl", "nengo-loihi", "numpy", "tensorflow", "tf-keras")
RASTER_POPULATIONS = 4
# Test samples that NeuroBench's metrics are of: all activity is held in memory.
NEUROBENCH_SAMPLES = 100


def rate_answers(graph, x, readout_steps):
    """Classify by what the output of a network gives as rates, (n_samples,)."""
    record = {"record": [graph.output], "last_steps": readout_steps}
    found = run_graph(graph, x, rates=True, dtype=np.float32, **record)
    return classify(found[graph.output], readout_steps)


def behaviour(deployed, trace, answers, hybrid, split):
    """Return accuracy, activity, what is sent, the confusion matrix and a raster."""
    graph = deployed.graph
    rates = rate_answers(graph, split.x, deployed.about["readout_steps"])
    n_classes = graph.population(graph.output).n_neurons
    confusion = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(confusion, (split.y, answers), 1)
    return {
        "accuracy": {
            "rate": accuracy(rates, split.y),
            "hybrid": hybrid.accuracy,
            "deployed": accuracy(answers, split.y),
            "n_test": len(split),
        },
        "activity": hybrid.activity,
        **_sent(hybrid, deployed, trace),
        "confusion": confusion,
        "raster": _raster(deployed, trace, split.x[:1]),
    }


def deployed_answers(deployed, trace, readout_steps):
    """Classify by what the output on the chip sends in its last steps."""
    if deployed.is_graded:
        return classify(trace.output, readout_steps)
    return classify(trace.output_spikes, readout_steps * deployed.quantized.chip_steps)


def _sent(hybrid, deployed, trace):
    """Return how often which count was sent, and payloads of how many bits."""
    sent = {"sent": hybrid.to_json()["counts"]}
    if not deployed.is_graded:
        return sent
    inside = [p.name for p in deployed.quantized.populations if not p.is_input]
    totals = {name: trace.by_bits[name].sum(axis=0).tolist() for name in inside}
    payloads = {
        name: {str(bits): n for bits, n in enumerate(total) if n}
        for name, total in totals.items()
    }
    return {
        **sent,
        "payload_bits": payloads,
        **_ranges("test_ranges", trace.ranges),
    }


def _ranges(key, ranges):
    """Return how far integers went as rows of a report, if that is known."""
    return {} if ranges is None else {key: [vars(row) for row in ranges]}


def _raster(deployed, trace, x):
    """Return when each neuron spiked in the first sample, by population."""
    if deployed.is_graded:
        spikes = _graded_spikes(deployed.quantized, x)
    else:
        spikes = {name: p.spikes[0] for name, p in trace.populations.items()}
    found = {}
    for name, sent in list(spikes.items())[:RASTER_POPULATIONS]:
        times, neurons = np.nonzero(sent)
        found[name] = {"times": times, "neurons": neurons, "n_neurons": sent.shape[1]}
    return found


def _graded_spikes(graph, x):
    """Return what each population sends in one sample, (n_steps, n_neurons)."""
    run = GradedRun(graph)
    names = [p.name for p in graph.populations if p.name != graph.output]
    _, values = next(run.pieces(run.checked_input(x), record=names))
    return {name: sent[0] for name, sent in values.items()}


def neurobench(graph, x, seed):
    """Return NeuroBench's metrics of the network in floats, host's part and all."""
    x, names = x[:NEUROBENCH_SAMPLES], [p.name for p in graph.populations]
    activity = run_graph(graph, x, seed=seed, record=names)
    return {"n_samples": len(x), **neurobench_metrics(graph, activity).to_json()}


def figures(deployed):
    """Return all that a report says of what was found out so far."""
    about, run = deployed.about, deployed.run
    return {
        "recipe": (about.get("recipe") or {}).get("name"),
        "target": deployed.target.name,
        "data_sha256": about.get("data_sha256"),
        "stamp": STAMP,
        **({} if run is None else run.figures),
        **placed(deployed.placement, deployed.target),
        "chip_steps": deployed.quantized.chip_steps,
        "rounding": deployed.quantized.errors,
        **_ranges("calibration_ranges", deployed.ranges),
        "host": host(deployed.quantized),
        "history": history(about.get("history", {})),
        **(deployed.estimate or {}),
    }


def resources(placement):
    """Return what a placement uses of its chips."""
    totals = {
        name: sum(getattr(block.utilization, name)[0] for block in placement.blocks)
        for name in ("compartments", "input_axons", "output_axons", "synapse_bits")
    }
    return {
        "chips": placement.n_chips,
        "cores": placement.n_cores,
        **totals,
        "worst_core": placement.worst_core(),
    }


def placed(placement, target):
    """Return what is used of the chips, in all and core by core, and by whom."""
    names = ("cores_per_chip", "cores_per_tile", "mesh_columns")
    return {
        "resources": resources(placement),
        "mesh": {name: target.limit(name) for name in names},
        "cores": _cores(placement),
        "on_chip": _on_chip(placement),
    }


def _cores(placement):
    """Return each core in use; its load is the largest part of a limit in use."""
    populations = {}
    for block in placement.blocks:
        sizes = populations.setdefault((block.chip, block.core), {})
        sizes[block.population] = sizes.get(block.population, 0) + len(block.neurons)
    return [
        {
            "chip": chip,
            "core": core,
            "load": max(used.fractions().values()),
            "limits": vars(used),
            "populations": populations[chip, core],
        }
        for (chip, core), used in placement.cores().items()
    ]


def _on_chip(placement):
    """Return the populations on the chips, and over how much they are spread."""
    found = {}
    for block in placement.blocks:
        found.setdefault(block.population, []).append(block)
    return [
        {
            "name": name,
            "n_neurons": sum(len(block.neurons) for block in blocks),
            "n_cores": len({(block.chip, block.core) for block in blocks}),
            "n_chips": len({block.chip for block in blocks}),
        }
        for name, blocks in found.items()
    ]


def host(quantized):
    """Return what does not run on the chip, with the reason."""
    if isinstance(quantized, GradedGraph):
        reason = "it is the input, which comes from outside the chip"
        outside = [(p, reason) for p in quantized.populations if p.is_input]
    else:
        reasons = quantized.host_reasons
        outside = [(p, reasons[p.name]) for p in quantized.host.populations]
    return [
        {"name": p.name, "reason": reason, "n_neurons": p.n_neurons}
        for p, reason in outside
    ]


def history(rows):
    """Return a training's rows under the report's names, omega as the hidden's."""
    omegas = sorted(key for key in rows if key.startswith("omega."))
    shown = {key: rows[key] for key in rows if key not in omegas}
    if not omegas:
        return shown
    hidden = next((key for key in omegas if "hidden" in key), omegas[0])
    return {**shown, "omega": rows[hidden]}


def versions():
    """Return the versions of Python and of the packages that matter, if installed."""
    found = {"python": platform.python_version(), "nengo-hybrid": version}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
