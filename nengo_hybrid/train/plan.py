"""What of a network is fixed, and what is trained: the plan of a training."""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import CONVOLUTIONS, object_names, trained_objects


@dataclass(frozen=True)
class Stage:
    """
    Populations of the body that are computed together.

    Attributes
    ----------
    populations : tuple of Population
        One, or some that feed one another, in their order of evaluation.
    feeds_back : bool
        Whether they do, so that they have to be run step by step.
    is_whole : bool
        Whether all steps are needed; otherwise those that are read are enough.
    is_learned : bool
        Whether anything trained comes before them, or is among them.
    """

    populations: tuple
    feeds_back: bool = False
    is_whole: bool = False
    is_learned: bool = True

    @property
    def names(self):
        return tuple(p.name for p in self.populations)


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
    stages : tuple of Stage
        The same, each after what it needs in any step.
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
    stages: tuple
    trained_weights: dict
    gains: dict
    trained_biases: dict

    @property
    def redraws(self):
        """Whether what is fixed quantizes, and so gives other values in each run."""
        return any(self.graph.population(name).is_hybrid for name in self.fixed)

    @property
    def is_recurrent(self):
        """Whether all steps are run, because a part of the body comes a step late."""
        return _is_late(self.graph, self.fixed)

    def inside(self, stage):
        """Return the projections within a stage."""
        names = stage.names
        return [p for p in self.graph.projections if {p.pre, p.post} <= {*names}]

    def needed_whole(self, stage):
        """Name what of a stage others need in more steps than those that are read."""
        whole = {name for s in self.stages if s.is_whole for name in s.names}
        return {
            p.pre
            for p in self.graph.projections
            if p.pre in stage.names
            and p.post not in stage.names
            and (p.delay or p.post in whole)
        }

    def check_trained(self, budgets, train_omega, scheduled):
        """
        Refuse omegas that cannot be moved, and budgets that training cannot meet.

        Parameters
        ----------
        budgets, train_omega, scheduled : iterable of str
            Populations: with budgets, with a trained omega, with a schedule of it.

        Raises
        ------
        TrainError
        """
        stages = {name: stage for stage in self.stages for name in stage.names}
        ways = ((train_omega, "trained"), (scheduled, "moved by a schedule"))
        for names, way in ways:
            for name in names:
                if name in self.fixed:
                    raise TrainError(
                        f"omega of {name} cannot be {way}, since it is run before each "
                        "epoch: nothing trained comes before it"
                    )
        for name in train_omega:
            if stages[name].feeds_back:
                raise TrainError(f"omega of {name} cannot be trained: it feeds back")
        for name in budgets:
            is_learned = name in stages and stages[name].is_learned
            if not is_learned and name not in train_omega:
                raise TrainError(
                    f"budgets of {name} cannot be met by training, since nothing "
                    "trained comes before it; take them out, or put it into train_omega"
                )

    def moved(self, stage):
        """Name what of a stage training moves by a bias, a weight or what is before."""
        learned = {name for s in self.stages if s.is_learned for name in s.names}
        by_projection = {
            p.post
            for p in self.graph.projections
            if p.name in self.trained_weights
            or (p.pre in learned and p.pre not in stage.names)
        }
        return (by_projection | self.trained_biases.keys()) & {*stage.names}


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
        is_spiking = lowered.is_hybrid or lowered.dynamics is not None
        if is_spiking and not isinstance(own, HybridSpiking):
            kind = type(own).__name__
            found.append(
                f"ensemble {names[ensemble]} has neurons {kind}, which train as rates"
            )
        elif lowered.is_hybrid and own.omega != lowered.omega:
            found.append(
                f"ensemble {names[ensemble]} has an activation with a height of its own"
            )
    for connection in network.all_connections:
        if isinstance(connection.post_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} goes through encoders")
        elif connection in trained and isinstance(connection.pre_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} has trained decoders")
        elif connection in trained and isinstance(connection.transform, CONVOLUTIONS):
            found.append(f"connection {names[connection]} trains a convolution")
        elif connection in trained and not _is_whole(connection):
            found.append(
                f"connection {names[connection]} trains a part of what it joins"
            )
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
    trained_names = {names[obj] for obj in trained}
    fixed = _fixed_populations(graph, trained_names)
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
    stages = _stages(graph, body, trained_names)
    return Plan(graph, fixed, body, stages, weights, gains, biases), []


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
    before: they are run. Where what is trained does, the input alone: all steps of
    what else there is, for all samples, would not fit into memory.
    """
    linear = {p.name for p in graph.populations if p.activation in ("input", "linear")}
    fixed = _without_trained(graph, trained, linear)
    if _is_late(graph, fixed):
        fixed = _without_trained(graph, trained, {p.name for p in graph.populations})
    if _is_late(graph, fixed):
        fixed = {p.name for p in graph.populations if p.activation == "input"}
    return tuple(p.name for p in graph.populations if p.name in fixed)


def _is_late(graph, fixed):
    """Tell whether anything comes a step late to what is not fixed."""
    return any(p.delay and p.post not in fixed for p in graph.projections)


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


def _stages(graph, body, trained):
    """Sort the body into stages."""
    before = _before(graph, [p.name for p in body])
    late = [p for p in graph.projections if p.delay and p.post in before]
    whole = set().union(*({p.pre} | before.get(p.pre, set()) for p in late))
    learned = before.keys() - _without_trained(
        graph, trained, {p.name for p in graph.populations}
    )
    found = {}
    for name in sorted(before, key=lambda name: len(before[name] | {name})):
        together = {other for other in before[name] if name in before[other]}
        members = tuple(p for p in body if p.name in together | {name})
        found[members[0].name] = Stage(
            members,
            feeds_back=bool(together),
            is_whole=name in whole,
            is_learned=name in learned,
        )
    return tuple(found.values())


def _before(graph, names):
    """Return, by population, all that come before it; itself too, if it feeds back."""
    found = {name: {p.pre for p in graph.into(name)} & {*names} for name in names}
    for middle in names:
        for name in names:
            if middle in found[name]:
                found[name] |= found[middle]
    return found
