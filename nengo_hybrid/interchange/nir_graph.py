"""
From the nodes of a NIR file to a `SpikingGraph`.

Neurons, the input and sums (a scale of ones) are populations. An Affine, Linear, Scale
or convolution that leads to one of them alone is a projection, with a Delay before it,
and its bias is that of the population; elsewhere it is a linear population of its own.
"""

from dataclasses import dataclass, replace

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.interchange.loops import late_projections
from nengo_hybrid.interchange.nir_nodes import NEURONS, check_dense
from nengo_hybrid.names import unique_names


@dataclass(frozen=True)
class _Wires:
    """Nodes by name, those before each, and those behind each."""

    nodes: dict
    before: dict
    behind: dict

    def without(self, name):
        """Connect what is before a node with what is behind it."""
        if name in self.before[name]:
            raise InterchangeError(f"node {name!r} feeds itself with nothing between")
        before = {n: list(pres) for n, pres in self.before.items() if n != name}
        for post in self.behind[name]:
            place = before[post].index(name)
            before[post][place : place + 1] = self.before[name]
        nodes = {n: node for n, node in self.nodes.items() if n != name}
        return wire(nodes, before)


def wire(nodes, before):
    """Return nodes with what is before and behind each."""
    behind = {name: [] for name in nodes}
    for name, pres in before.items():
        for pre in pres:
            behind[pre].append(name)
    return _Wires(nodes, before, behind)


def to_graph(nodes, before, *, dt):
    """
    Make a graph of nodes.

    Parameters
    ----------
    nodes : dict of str to Node
    before : dict of str to list of str
        The nodes whose output a node gets.
    dt : float

    Returns
    -------
    SpikingGraph

    Raises
    ------
    InterchangeError
        If nodes do not fit together, or a graph cannot carry how they are connected.
    """
    source, output = (_only(nodes, kind) for kind in ("Input", "Output"))
    _check_wires(nodes, before, source, output)
    wires = wire(nodes, before)
    for name, node in nodes.items():
        if node.kind == "Flatten":
            wires = wires.without(name)
    output = _output(wires, output)
    if output == source:
        raise InterchangeError(
            f"its output is its input {source!r}; nothing is computed"
        )
    ways = _Ways(wires.without(_only(wires.nodes, "Output")), output)
    staying = [name for name in ways.wires.nodes if ways.stays(name)]
    populations = [_population(ways, name) for name in staying]
    projections = _named(ways, [w for p in populations for w in ways.into(p.name)])
    neurons = {p.name for p in populations if p.dynamics is not None}
    listed = [(p.pre, p.post, p.delay) for p in projections]
    late = late_projections(listed, source, neurons)
    projections = tuple(
        replace(p, delay=1) if i in late else p for i, p in enumerate(projections)
    )
    return SpikingGraph(dt, _ordered(populations, projections), projections, output)


def _only(nodes, kind):
    found = [name for name, node in nodes.items() if node.kind == kind]
    if len(found) != 1:
        names = ", ".join(map(repr, found)) or "none"
        raise InterchangeError(f"it needs one node of type {kind}, got {names}")
    return found[0]


def _check_wires(nodes, before, source, output):
    """Refuse nodes that get nothing, or what is of another size."""
    for name, pres in before.items():
        node = nodes[name]
        if name == source and pres:
            raise InterchangeError(
                f"Input {name!r} needs to get nothing, got {pres[0]!r}"
            )
        if name != source and not pres:
            raise InterchangeError(f"{node.kind} {name!r} gets nothing; connect it")
        for pre in pres:
            if pre == output:
                raise InterchangeError(
                    f"Output {pre!r} needs to be the end, got {name!r}"
                )
            given, wanted = (int(np.prod(s)) for s in (nodes[pre].shape, node.shape_in))
            if given != wanted:
                raise InterchangeError(
                    f"{node.kind} {name!r} needs {wanted} values, got {given} from "
                    f"{pre!r}"
                )


def _output(wires, name):
    """Return the node that is the answer: the one before the output."""
    pres = wires.before[name]
    if len(pres) != 1:
        raise InterchangeError(
            f"Output {name!r} needs to get one node, got {', '.join(map(repr, pres))}; "
            "put a Scale of ones between"
        )
    return pres[0]


class _Ways:
    """Which nodes stay populations, and the ways between these."""

    def __init__(self, wires, output):
        self.wires, self.output = wires, output

    def stays(self, name):
        """Tell whether a node is a population."""
        return self._is_anchor(name) or not self._folds(name)

    def _is_anchor(self, name):
        node = self.wires.nodes[name]
        return node.kind == "Input" or node.dynamics is not None or node.is_sum

    def _folds(self, name):
        """Tell whether a node becomes a part of a projection."""
        node, behind = self.wires.nodes[name], self.wires.behind[name]
        if len(behind) != 1 or behind[0] == name or name == self.output:
            return False
        if node.kind != "Delay":
            return self._is_anchor(behind[0])
        return self.wires.nodes[behind[0]].kind != "Delay"

    def into(self, name):
        """
        List the ways into a population.

        Returns
        -------
        list of (str, Projection, array or None)
            Name of the node that is the projection, or "" for an edge alone; the
            projection; its bias.
        """
        node, found = self.wires.nodes[name], []
        if not self._is_anchor(name):
            delay = node.delay
            node = replace(node, bias=None)
            return [
                self._way(pre, name, f"into {name}", node, delay)
                for pre, delay in self._through_delays(name, delay)
            ]
        for pre, delay in self._through_delays(name, 0):
            inner = self.wires.nodes[pre]
            if self.stays(pre):
                found.append(self._way(pre, name, "", None, delay))
                continue
            found += [
                self._way(first, name, pre, inner, delay)
                for first, delay in self._through_delays(pre, 0)
            ]
        return found

    def _through_delays(self, name, delay):
        """Yield what is before a node, behind delays that are a part of the way."""
        for pre in self.wires.before[name]:
            if self.wires.nodes[pre].kind == "Delay" and not self.stays(pre):
                for first in self.wires.before[pre]:
                    yield first, delay + self.wires.nodes[pre].delay
            else:
                yield pre, delay

    def _way(self, pre, post, name, node, delay):
        """Make a projection of a node between, or of an edge alone."""
        if node is None or node.weights is None:
            n = int(np.prod(self.wires.nodes[pre].shape))
            check_dense((n, n), f"the edge from {pre!r} to {post!r}")
            return name, Projection(name, pre, post, np.eye(n), delay), None
        made = Projection(name, pre, post, node.weights, delay, node.convolution)
        return name, made, node.bias


def edge_name(pre, post):
    """Name a projection that is an edge and no node."""
    return f"{pre} to {post}"


def _named(ways, found):
    """Name projections, each by itself."""
    names = [name or edge_name(p.pre, p.post) for name, p, _ in found]
    return [
        replace(p, name=name)
        for name, (_, p, _) in zip(unique_names(names), found, strict=True)
    ]


def _population(ways, name):
    """Make the population of a node, with the biases of what leads to it."""
    node = ways.wires.nodes[name]
    n_neurons = int(np.prod(node.shape))
    if node.kind == "Input":
        return Population(name, n_neurons, "input")
    biases = {way: bias for way, _, bias in ways.into(name) if bias is not None}
    total = node.bias
    for bias in biases.values():
        total = bias if total is None else total + bias
    kind = node.kind if node.kind in NEURONS else "linear"
    return Population(name, n_neurons, kind, bias=total, dynamics=node.dynamics)


def _ordered(populations, projections):
    """Sort populations so that each comes behind those it needs in the same step."""
    left, order, done = list(populations), [], set()
    needs = {p.name: set() for p in populations}
    for projection in projections:
        if projection.delay == 0:
            needs[projection.post].add(projection.pre)
    while left:
        ready = [p for p in left if needs[p.name] <= done]
        assert ready, "loops have a step's delay by now"
        order.append(ready[0])
        done.add(ready[0].name)
        left.remove(ready[0])
    return tuple(order)
