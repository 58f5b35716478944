"""
What the whole way is reported as: accuracy, activity, resources, what runs where.

Like `nengo_hybrid.pipeline` this knows the order of the stages; it computes what no
stage does, from what they made.
"""

import numpy as np

from nengo_hybrid.emulate import GradedRun
from nengo_hybrid.estimate import neurobench_metrics
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.graded_graph import GradedGraph
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.metrics import accuracy, classify

RASTER_POPULATIONS = 4
# Test samples that NeuroBench's metrics are of: all activity is held in memory.
NEUROBENCH_SAMPLES = 100


def rate_answers(graph, x, readout_steps):
    """Classify by what the output of a network gives as rates, (n_samples,)."""
    record = {"record": [graph.output], "last_steps": readout_steps}
    found = run_graph(graph, x, rates=True, dtype=np.float32, **record)
    return classify(found[graph.output], readout_steps)


def behaviour(trained, deployed, trace, data, seed):
    """Return accuracy, activity, the confusion matrix and a raster."""
    graph, steps, test = deployed.graph, trained.readout_steps, data.test
    hybrid = evaluate(graph, test, readout_steps=steps, seed=seed)
    answers = {
        "rate": rate_answers(graph, test.x, steps),
        "hybrid": hybrid.answers,
        "deployed": _deployed_answers(deployed, trace, steps),
    }
    scores = {name: accuracy(answer, test.y) for name, answer in answers.items()}
    confusion = np.zeros((data.n_classes, data.n_classes), dtype=int)
    np.add.at(confusion, (test.y, answers["deployed"]), 1)
    return {
        "accuracy": {**scores, "n_test": len(test)},
        "activity": hybrid.activity,
        "confusion": confusion,
        "raster": _raster(deployed, trace, test.x[:1]),
    }


def _deployed_answers(deployed, trace, readout_steps):
    """Classify by what the output on the chip sends in its last steps."""
    if isinstance(deployed.quantized, GradedGraph):
        return classify(trace.output, readout_steps)
    return classify(trace.output_spikes, readout_steps * deployed.quantized.chip_steps)


def _raster(deployed, trace, x):
    """Return when each neuron spiked in the first sample, by population."""
    if isinstance(deployed.quantized, GradedGraph):
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


def history(trained):
    """Return the training's rows under the report's names, omega as the hidden's."""
    history = trained.history
    omegas = sorted(key for key in history if key.startswith("omega."))
    hidden = next((key for key in omegas if "hidden" in key), omegas[0])
    shown = {key: history[key] for key in history if key not in omegas}
    return {**shown, "omega": history[hidden]}
