"""What of a network is fixed, and what is trained: the plan of a training."""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.parameters import object_names, trained_objects


@dataclass(frozen=True)
class Plan:
    """
    How a network trains in parallel over time.

    Attributes
    ----------
    graph : SpikingGraph
    fixed : tuple of str
        Populations that nothing trained comes before; see `front.features`.
    body : tuple of Population
        The others, in their order of evaluation.
    trained_weights : dict of str to (n_post, n_pre) array
        By projection; before the gains of the neurons they lead to.
    gains : dict of str to (n_post, 1) array
        By projection, of those that are trained.
    trained_biases : dict of str to (n_neurons,) array
        By population.
    """

    graph: object
    fixed: tuple
    body: tuple
    trained_weights: dict
    gains: dict
    trained_biases: dict

    @property
    def redraws(self):
        """Whether what is fixed quantizes, and so gives other values in each run."""
        return any(self.graph.population(name).is_hybrid for name in self.fixed)


def reasons_against(network, graph):
    """
    Find why a network cannot train in parallel over time.

    Parameters
    ----------
    network : nengo.Network
    graph : SpikingGraph
        The same, lowered.

    Returns
    -------
    list of str
        A sentence for each object that stands against it; empty if it can.
    """
    names, trained = object_names(network), trained_objects(network)
    found = []
    for ensemble in network.all_ensembles:
        if ensemble in trained and not isinstance(ensemble.gain, np.ndarray):
            found.append(f"ensemble {names[ensemble]} has gains that would be trained")
        own, lowered = ensemble.neuron_type, graph.population(names[ensemble])
        if lowered.is_hybrid and own.omega != lowered.omega:
            found.append(
                f"ensemble {names[ensemble]} has an activation with a height of its own"
            )
    for connection in network.all_connections:
        if isinstance(connection.post_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} goes through encoders")
        elif connection in trained and isinstance(connection.pre_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} has trained decoders")
        elif connection in trained and not _is_whole(connection):
            found.append(
                f"connection {names[connection]} trains a part of what it joins"
            )
    fixed = _fixed_populations(graph, {names[obj] for obj in trained})
    for projection in graph.projections:
        if projection.post not in fixed and projection.delay:
            found.append(f"connection {projection.name} feeds back, a step late")
    return found


def make_plan(network, *, dt):
    """
    Lower a network, and sort what is fixed from what is trained.

    Returns
    -------
    Plan or None
    reasons : list of str
        Why there is no plan; empty if there is one.
    """
    graph = to_graph(network, dt=dt)
    reasons = reasons_against(network, graph)
    if reasons:
        return None, reasons
    names, trained = object_names(network), trained_objects(network)
    fixed = _fixed_populations(graph, {names[obj] for obj in trained})
    by_name = {projection.name: projection for projection in graph.projections}
    weights, gains, biases = {}, {}, {}
    for obj in trained:
        name = names[obj]
        if isinstance(obj, nengo.Ensemble):
            biases[name] = np.asarray(graph.population(name).bias, np.float32)
        else:
            gain = _gain(obj)
            gains[name] = gain
            weights[name] = (by_name[name].weights / gain).astype(np.float32)
    body = tuple(p for p in graph.populations if p.name not in fixed)
    return Plan(graph, fixed, body, weights, gains, biases), []


def _is_whole(connection):
    """Tell whether a connection has a weight for every pair of what it joins."""
    pre, post = connection.pre_obj, connection.post_obj
    whole = connection.pre_slice == slice(None) and connection.post_slice == slice(None)
    dense = isinstance(connection.transform, nengo.transforms.Dense)
    return (
        whole
        and dense
        and connection.transform.init_shape
        == (
            post.size_in,
            pre.size_out,
        )
    )


def _gain(connection):
    if isinstance(connection.post_obj, Neurons):
        return np.asarray(connection.post_obj.ensemble.gain, np.float32)[:, None]
    return np.ones((connection.post_obj.size_in, 1), np.float32)


def _fixed_populations(graph, trained):
    """
    Return the populations that are fixed.

    Linear ones that nothing else comes before, since they can be computed for all
    steps at once. Where what quantizes feeds back, all that nothing trained comes
    before: they are run.
    """
    linear = {p.name for p in graph.populations if p.activation in ("input", "linear")}
    fixed = _without_trained(graph, trained, linear)
    if any(p.delay and p.post not in fixed for p in graph.projections):
        fixed = _without_trained(graph, trained, {p.name for p in graph.populations})
    return tuple(p.name for p in graph.populations if p.name in fixed)


def _without_trained(graph, trained, fixed):
    """Take away what comes behind anything that is trained, or that is not there."""
    fixed = fixed - trained
    while True:
        outside = {
            p.post for p in graph.projections if p.name in trained or p.pre not in fixed
        }
        if not outside & fixed:
            return fixed
        fixed -= outside
