"""
A Nengo network as an `Outline`: what NengoLoihi would build, told by its shape.

What is on the chip and which nodes are taken out is decided by NengoLoihi's own code;
the parts then follow from its builder, connection by connection, in its order. Nothing
is solved for or drawn, and a network that the builder refuses is read to the end.
"""

import warnings

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.connection import LearningRule
from nengo.ensemble import Neurons
from nengo.exceptions import NengoException
from nengo_loihi.builder import Model
from nengo_loihi.config import add_params
from nengo_loihi.conv import pixel_idxs
from nengo_loihi.passthrough import base_obj
from nengo_loihi.splitter import Split

from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.lower.patterns import convolution, matrix, of_both_signs, repeated
from nengo_hybrid.lower.refusals import (
    is_chip_process,
    is_convolution,
    refuses_connection,
    refuses_ensemble,
)
from nengo_hybrid.names import unique_names
from nengo_hybrid.outline import (
    CHIP,
    HOST,
    REFUSED,
    REMOVED,
    TO_CHIP,
    TO_HOST,
    Inlet,
    Outline,
    Part,
    Seat,
    Wire,
)
from nengo_hybrid.parameters import object_names


def read_outline(network, *, model=None):
    """
    Read what a network needs of the chip, without building it.

    Parameters
    ----------
    network : nengo.Network
        Gets NengoLoihi's settings, as when NengoLoihi builds it.
    model : nengo_loihi.builder.Model, optional
        For its decode neurons.

    Returns
    -------
    Outline

    Raises
    ------
    LowerError
        If nothing is on the chip, or NengoLoihi cannot tell what is.
    """
    return _Reader(network, Model() if model is None else model).read()


class _Reader:
    """Walks a network in the order in which NengoLoihi builds it."""

    def __init__(self, network, model):
        self.network, self.model = network, model
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what its build warns of, too
                self.split = Split(network)
        except (NengoException, NotImplementedError) as error:
            raise LowerError(
                f"NengoLoihi cannot tell host from chip: {' '.join(str(error).split())}"
            ) from error
        self.removed = self.split.passthrough.to_remove
        self.added = sorted(self.split.passthrough.to_add, key=str)
        self.names = self._name()
        self.seats, self.parts, self.inlets, self.wires = [], [], [], []
        self.part_of, self.encoders = {}, {}

    def read(self):
        self._walk(self.network)
        for connection in self.added:
            self._connection(connection, None)
        if not self.part_of:
            raise LowerError(
                "the network has nothing on the chip; put at least one ensemble there"
            )
        seats, parts = tuple(self.seats), tuple(self.parts)
        return Outline(seats, parts, tuple(self.inlets), tuple(self.wires))

    def _name(self):
        """Name all objects: by labels, and connections and probes by their ends."""
        objects = object_names(self.network)
        named = {o: n for o, n in objects.items() if not _is_connection(o)}
        others = [o for o in objects if _is_connection(o)] + self.added
        for other in others + self.network.all_probes:
            named[other] = other.label or _describe(other, named)
        unique = unique_names(list(named.values()))
        return dict(zip(named, unique, strict=True))

    def _walk(self, network):
        add_params(network)
        for ensemble in network.ensembles:
            self._ensemble(ensemble, network.config)
        for node in network.nodes:
            self._node(node)
        for subnetwork in network.networks:
            self._walk(subnetwork)
        for connection in network.connections:
            self._connection(connection, network.config)
        for probe in network.probes:
            self._probe(probe)

    def _seat(self, obj, kind, place, reason, refusals=()):
        refusals = list(refusals)
        if refusals:
            place, reason = REFUSED, "; ".join(refusals)
        self.seats.append(Seat(self.names[obj], kind, place, reason))
        return not refusals

    def _ensemble(self, ensemble, config):
        if not self.split.on_chip(ensemble):
            self._seat(ensemble, "ensemble", HOST, self._host_reason(ensemble))
            return
        refusals = refuses_ensemble(ensemble, self.model)
        self._seat(ensemble, "ensemble", CHIP, "a compartment a neuron", refusals)
        block_shape, n = config[ensemble].block_shape, ensemble.n_neurons
        shape, whole = None, (n,)
        if block_shape is not None:
            shape, whole = tuple(block_shape.shape), tuple(block_shape.ensemble_shape)
        part = Part(self.names[ensemble], n, shape, whole, is_ensemble=True)
        self.part_of[ensemble] = self._add_part(part)

    def _host_reason(self, ensemble):
        if isinstance(ensemble.neuron_type, nengo.Direct):
            return "in Direct mode there are no neurons"
        if self.network.config[ensemble].on_chip is False:
            return "its on_chip is False"
        return "a connection into it learns, or it gives the error of one that does"

    def _node(self, node):
        if node in self.removed:
            self._seat(node, "node", REMOVED, "it only passes values on")
        elif is_chip_process(node):
            self._seat(node, "node", CHIP, "its spikes come from a file")
        elif node.output is None:
            reason = "it passes values on, and is probed or joins nothing on the chip"
            self._seat(node, "node", HOST, reason)
        else:
            self._seat(node, "node", HOST, "nodes compute with real numbers")

    def _probe(self, probe):
        target = base_obj(probe.target)
        if isinstance(target, nengo.Connection):
            target = base_obj(target.pre)
        elif isinstance(target, LearningRule):
            target = base_obj(target.connection.pre)
        if not self.split.on_chip(target):
            self._seat(probe, "probe", HOST, "what it reads is on the host")
        elif isinstance(probe.obj, nengo.Ensemble) and probe.attr == "decoded_output":
            self._seat(probe, "probe", TO_HOST, "decoded in two compartments a value")
            size = probe.target.size_out
            self._decode_for_host(self.part_of[target], size, self.names[probe])
        else:
            self._seat(probe, "probe", TO_HOST, "registers of the chip are read")

    def _connection(self, connection, config):
        if connection in self.removed:
            reason = "joined with what its node leads to"
            self._seat(connection, "connection", REMOVED, reason)
            return
        if isinstance(connection.post_obj, LearningRule):
            reason = "the host sends errors to synapses that learn"
            self._seat(connection, "connection", TO_CHIP, reason)
            return
        ends = connection.pre, connection.post
        pre, post = (self.split.on_chip(base_obj(end)) for end in ends)
        place, reason = _connection_reason(connection, pre, post)
        if connection in self.added:
            reason += "; instead of connections through nodes"
        refusals = refuses_connection(connection, pre_on_chip=pre, post_on_chip=post)
        if not self._seat(connection, "connection", place, reason, refusals):
            return
        if pre and not post:
            if isinstance(connection.pre_obj, nengo.Ensemble):
                part = self.part_of[connection.pre_obj]
                size = connection.size_out
                self._decode_for_host(part, size, self.names[connection])
        elif pre or isinstance(connection.pre_obj, Neurons) and post:
            self._on_chip(connection, config)
        elif post:
            self._from_host(connection)

    def _add_part(self, part):
        self.parts.append(part)
        return len(self.parts) - 1

    def _add_inlet(self, part, owner, n_axons, **found):
        self.inlets.append(Inlet(part, owner, n_axons, **found))
        return len(self.inlets) - 1

    def _add_wire(self, source, owner, inlet, axon_of, n_axons=None):
        n_axons = len(axon_of) if n_axons is None else n_axons
        self.wires.append(Wire(source, owner, inlet, axon_of, n_axons))

    def _decode_for_host(self, source, size, owner):
        """Decode in compartments that the host reads: one for each sign of a value."""
        part = self._add_part(Part(owner, 2 * size, None, (2 * size,), False))
        n = self.parts[source].n_compartments
        inlet = self._add_inlet(part, owner, n, is_solved=True)
        self._add_wire(source, owner, inlet, np.arange(n))

    def _from_host(self, connection):
        """Take values that the host sends as spikes, on two lines each."""
        post, owner = connection.post_obj, self.names[connection]
        part = self.part_of[base_obj(post)]
        if isinstance(post, Neurons):
            size = connection.size_mid
            found = of_both_signs(matrix(connection.transform, size), size)
            inlet = self._add_inlet(part, owner, 2 * size, **found)
        else:
            size = connection.size_out
            inlet = self._encoders_of(post, "node")
        self._add_wire(None, owner, inlet, np.arange(2 * size))

    def _encoders_of(self, ensemble, kind):
        """Return the inlet of an ensemble's encoders, two axons a dimension."""
        part = self.part_of[ensemble]
        if (part, kind) not in self.encoders:
            owner, size = self.names[ensemble], ensemble.dimensions
            self.encoders[part, kind] = self._add_inlet(part, owner, 2 * size)
        return self.encoders[part, kind]

    def _on_chip(self, connection, config):
        """Connect what spikes, on the chip or neurons of the host, to the chip."""
        pre, post = connection.pre_obj, connection.post_obj
        owner, part = self.names[connection], self.part_of[base_obj(post)]
        source, axon_of = self._senders(connection)
        n_axons = int(np.count_nonzero(axon_of >= 0))
        if is_convolution(connection.transform):
            self._convolve(connection, config, source, len(axon_of))
            return
        if isinstance(pre, nengo.Ensemble):
            found = {"is_solved": True}
        else:
            found = matrix(connection.transform, n_axons)
        is_full = isinstance(pre, nengo.Ensemble) and connection.solver.weights
        if isinstance(post, Neurons) or is_full:
            inlet = self._add_inlet(part, owner, n_axons, **found)
            self._add_wire(source, owner, inlet, axon_of)
            return
        size = connection.size_out
        decoder = self._decode(owner, n_axons, size, found)
        self._add_wire(source, owner, decoder, axon_of, n_axons)
        places = np.arange(post.dimensions)[connection.post_slice]
        dimensions = self.model.decode_neurons.get_post_inds(places, post.dimensions)
        inlet = self._encoders_of(post, "decode neuron")
        self._add_wire(self.inlets[decoder].part, owner, inlet, dimensions)

    def _senders(self, connection):
        """Return the part that spikes, None for the host, and its axon map."""
        pre = connection.pre_obj
        on_host = not self.split.on_chip(base_obj(pre))
        if on_host:
            return None, np.arange(connection.size_in)
        if isinstance(pre, nengo.Ensemble):
            return self.part_of[pre], np.arange(pre.n_neurons)
        size = pre.size_out
        axon_of = np.full(size, -1)
        axon_of[connection.pre_slice] = np.arange(connection.pre.size_out)
        return (None if is_chip_process(pre) else self.part_of[pre.ensemble]), axon_of

    def _decode(self, owner, n_axons, size, found):
        """Add decode neurons: pairs for each dimension, on as many axons as spike."""
        n_times = 2 * self.model.decode_neurons.pairs_per_dim
        if not found.get("is_solved"):
            found = repeated(found, n_times, size)
        n = n_times * size
        part = self._add_part(Part(owner, n, None, (n,), False))
        return self._add_inlet(part, owner, n_axons, **found)

    def _convolve(self, connection, config, source, n_senders):
        transform, owner = connection.transform, self.names[connection]
        part = self.part_of[connection.post_obj.ensemble]
        if self.parts[part].shape is None:
            # So that a block can be a part of an image; NengoLoihi's own are not.
            whole = tuple(int(n) for n in transform.output_shape.shape)
            self.parts[part] = Part(
                self.parts[part].owner, int(np.prod(whole)), None, whole, True
            )
        pop_type = 32 if config is None else config[connection].pop_type
        n_axons = int(np.prod(transform.input_shape.spatial_shape))
        pattern = convolution(transform)
        inlet = self._add_inlet(
            part, owner, n_axons, pattern=pattern, pop_type=pop_type
        )
        axon_of = np.full(n_senders, -1)
        pre_slice = slice(None) if source is None else connection.pre_slice
        axon_of[pre_slice] = pixel_idxs(transform.input_shape)
        self._add_wire(source, owner, inlet, axon_of, n_axons)


def _is_connection(obj):
    return isinstance(obj, nengo.Connection)


def _describe(obj, named):
    """Call a connection by its ends, and a probe by what it reads."""
    if isinstance(obj, nengo.Probe):
        return f"probe of {_end(obj.obj, named)}"
    return f"{_end(obj.pre_obj, named)} to {_end(obj.post_obj, named)}"


def _end(obj, named):
    if isinstance(obj, ObjView):
        obj = obj.obj
    if isinstance(obj, Neurons):
        return f"{named[obj.ensemble]}.neurons"
    if isinstance(obj, LearningRule):
        connection = obj.connection
        return f"rule of {named.get(connection) or _describe(connection, named)}"
    return named.get(obj) or _describe(obj, named)


def _connection_reason(connection, pre, post):
    """Say where a connection runs, and how."""
    decoded = isinstance(connection.pre_obj, nengo.Ensemble)
    to_neurons = isinstance(connection.post_obj, Neurons)
    if not pre and not post:
        return HOST, "both its ends are on the host"
    if pre and not post:
        learns = ", and learns" if connection.learning_rule_type is not None else ""
        how = "decoded in two compartments a value" if decoded else "spikes are read"
        return TO_HOST, how + learns
    if not pre and not isinstance(connection.pre_obj, Neurons):
        how = "its weights" if to_neurons else "the encoders"
        return TO_CHIP, f"values as spikes of two lines each, onto {how}"
    place = CHIP if pre else TO_CHIP
    if is_convolution(connection.transform):
        return place, "a kernel that axons share"
    if to_neurons:
        return place, "decoders as weights" if decoded else "its weights"
    if decoded and connection.solver.weights:
        return place, "decoders and encoders as weights"
    return place, "through decode neurons, onto the encoders"
