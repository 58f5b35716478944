"""
NeuroBench's algorithmic metrics, under its names, of the same network.

The definitions are those of its package, version 2.3. They differ from our counts: a
synaptic operation there is a weight that is not 0 behind a value that is not 0, of the
network in floats, wherever it runs; here it is a spike through a stored synapse on the
chip, whose zeros are stored, too.
"""

from dataclasses import asdict, dataclass

import numpy as np

from nengo_hybrid.exceptions import EstimateError, ShapeError

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class NeuroBenchMetrics:
    """
    The metrics, with NeuroBench's names in `to_json`.

    Attributes
    ----------
    footprint_bytes : int
        Weights and biases.
    connection_sparsity : float
        Weights that are 0, as a share of all, to 4 decimals.
    activation_sparsity : float
        Values of neurons that are 0, as a share of all.
    effective_macs, effective_acs : float
        Weights that are not 0 behind values that are not 0, per sample: MACs in steps
        in which the whole batch has other values than -1, 0 and 1, else ACs.
    dense : float
        All weights in every step, per sample.
    """

    footprint_bytes: int
    connection_sparsity: float
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense: float

    def to_json(self):
        """Return the metrics in plain JSON types, under NeuroBench's names."""
        values = asdict(self)
        return {
            "Footprint": values["footprint_bytes"],
            "ConnectionSparsity": values["connection_sparsity"],
            "ActivationSparsity": values["activation_sparsity"],
            "SynapticOperations": {
                "Effective_MACs": values["effective_macs"],
                "Effective_ACs": values["effective_acs"],
                "Dense": values["dense"],
            },
        }


def neurobench_metrics(graph, activity, *, value_bytes=FLOAT32_BYTES):
    """
    Compute NeuroBench's metrics of a network that was run in floats.

    Parameters
    ----------
    graph : SpikingGraph
    activity : dict of str to (n_samples, n_steps, n_neurons) array
        What each population gave, as `nengo_hybrid.graph_run.run_graph` records it: at
        least those with neurons, and those that a projection starts from.
    value_bytes : int
        Bytes of a stored weight or bias.

    Returns
    -------
    NeuroBenchMetrics

    Raises
    ------
    EstimateError
        If a population is missing, or the network has no weights.
    ShapeError
        If its activity has another number of neurons.

    Examples
    --------
    One sample of one step: inputs 0.5 and 0 through weights [[1, 2], [0, 3]] are 1
    effective MAC of 4.
    """
    _check_activity(graph, activity)
    weights = [np.asarray(p.weights) for p in graph.projections]
    n_weights = sum(w.size for w in weights)
    n_zeros = sum(int((w == 0).sum()) for w in weights)
    biases = [p.bias for p in graph.populations if p.bias is not None]
    neurons = [activity[p.name] for p in graph.populations if p.has_neurons]
    n_values = sum(np.size(values) for values in neurons)
    n_spikes = sum(int(np.count_nonzero(values)) for values in neurons)
    counts = np.array([_operations(p, activity[p.pre]) for p in graph.projections])
    n_samples = len(next(iter(activity.values())))
    macs, acs, dense = (counts.sum(axis=0) / n_samples).tolist()
    return NeuroBenchMetrics(
        footprint_bytes=value_bytes * (n_weights + sum(np.size(b) for b in biases)),
        connection_sparsity=round(n_zeros / n_weights, 4),
        activation_sparsity=(n_values - n_spikes) / n_values if n_values else 0.0,
        effective_macs=macs,
        effective_acs=acs,
        dense=dense,
    )


def _operations(projection, values):
    """Count (MACs, ACs, all) of a projection, over all samples and steps."""
    weights, n_steps = np.asarray(projection.weights), values.shape[1]
    arriving = np.asarray(values)[:, : max(n_steps - projection.delay, 0)]
    sent = (arriving != 0).sum(axis=0, dtype=np.int64)  # (n_steps, n_pre)
    per_step = sent @ np.count_nonzero(weights, axis=0)
    binary = np.isin(arriving, (-1, 0, 1)).all(axis=(0, 2))
    acs, all_ops = int(per_step[binary].sum()), int(per_step.sum())
    return all_ops - acs, acs, weights.size * n_steps * len(values)


def _check_activity(graph, activity):
    needed = {p.name for p in graph.populations if p.has_neurons}
    needed |= {p.pre for p in graph.projections}
    for name in sorted(needed):
        if name not in activity:
            known = ", ".join(sorted(activity)) or "none"
            raise EstimateError(
                f"population '{name}' has no activity; there is that of {known}"
            )
        n_neurons = graph.population(name).n_neurons
        shape = np.shape(activity[name])
        if len(shape) != 3 or shape[2] != n_neurons:
            raise ShapeError(
                f"population '{name}' has activity of shape {shape}; needed "
                f"(n_samples, n_steps, {n_neurons})"
            )
    if not graph.projections:
        raise EstimateError(
            "the network has no weights; NeuroBench's metrics need some"
        )
