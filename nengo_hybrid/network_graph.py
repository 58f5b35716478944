"""From a Nengo network to a `SpikingGraph`, with the values Nengo's builder makes."""

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.signal import Signal, SignalDict
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.ensemble import Neurons
from nengo.neurons import (
    LIF,
    RectifiedLinear,
    RegularSpiking,
    Sigmoid,
    SpikingRectifiedLinear,
    Tanh,
)

from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graphs import Dynamics, Population, Projection, SpikingGraph
from nengo_hybrid.neurons import HybridSpiking, Identity, Staggered
from nengo_hybrid.parameters import CONVOLUTIONS, object_names

ACTIVATIONS = {
    RectifiedLinear: "RectifiedLinear",
    Identity: "Identity",
    Tanh: "Tanh",
    Sigmoid: "Sigmoid",
}
HELP = "keep it out of what is deployed, or replace it"
# Of a convolution as a matrix: a gigabyte in floats.
MAX_WEIGHTS = 2**27


def to_graph(network, *, dt=1.0):
    """
    Lower a Nengo network to populations and projections in floats.

    Nengo builds the network; its gains, biases, decoders and weights are taken
    from there. Encoders and gains are folded into the weights, and a convolution is the
    matrix that it is.

    Parameters
    ----------
    network : nengo.Network
        With one input node and one probe, which names the output population.
        Nodes without an output function, and ensembles of `HybridSpiking`,
        RectifiedLinear, Tanh, `Identity`, SpikingRectifiedLinear, RegularSpiking or LIF
        neurons. The last two but one are `HybridSpiking` with an omega of 1; LIF
        neurons rest for whole steps, where Nengo has parts of a step.
    dt : float
        Time step in which the network is run, in Nengo's seconds.

    Returns
    -------
    SpikingGraph

    Raises
    ------
    LowerError
        Naming every object that cannot be lowered, and why.
    """
    names = object_names(network)
    refused = [*_refuse_nodes(network, names), *_refuse_ensembles(network, names)]
    refused += _refuse_connections(network, names)
    if refused:
        raise LowerError("cannot lower " + "; ".join(refused) + f"; {HELP}")
    model = Model(dt=dt)
    model.build(network)
    populations = {
        names[obj]: _population(model, obj, names[obj])
        for obj in (*network.all_nodes, *network.all_ensembles)
    }
    projections = tuple(
        _projection(model, connection, names) for connection in network.all_connections
    )
    order = evaluation_order(tuple(populations), projections)
    return SpikingGraph(
        dt=dt,
        populations=tuple(populations[name] for name in order),
        projections=projections,
        output=_output_name(network, names),
    )


def evaluation_order(names, projections):
    """
    Sort populations so that each comes after those it needs in the same step.

    Raises
    ------
    LowerError
        If projections without a delay form a loop; the message names it.
    """
    needs = {name: set() for name in names}
    for projection in projections:
        if projection.delay == 0:
            needs[projection.post].add(projection.pre)
    order = []
    while len(order) < len(names):
        ready = [n for n in names if n not in order and needs[n] <= set(order)]
        if not ready:
            loop = _without_ends(set(names) - set(order), needs)
            raise LowerError(
                f"populations {', '.join(sorted(loop))} feed one another within one "
                "step; give one of their connections synapse=0, a delay of one step"
            )
        order.extend(ready)
    return order


def _without_ends(names, needs):
    """Drop, again and again, what none of the others needs."""
    while True:
        needed = names & set().union(*(needs[name] for name in names))
        if needed == names:
            return names
        names = needed


def _refuse_nodes(network, names):
    inputs = [n for n in network.all_nodes if n.size_in == 0]
    if len(inputs) != 1:
        found = ", ".join(names[n] for n in inputs) or "none"
        yield f"a network with {len(inputs)} input nodes ({found}), one is needed"
    for node in network.all_nodes:
        if node.size_in > 0 and node.output is not None:
            yield f"node {names[node]} (it runs a function)"
    if len(network.all_probes) != 1:
        yield f"a network with {len(network.all_probes)} probes, one is needed"
        return
    (probe,) = network.all_probes
    if not isinstance(probe.target, (Neurons, nengo.Node)):
        kind = type(probe.target).__name__
        yield f"a probe on {kind}, one on all of the neurons or on a node is needed"
    elif probe.synapse is not None:
        yield f"a probe that filters with {probe.synapse}, none may be there"


def _refuse_ensembles(network, names):
    for ensemble in network.all_ensembles:
        neuron_type, _, _ = _quantizer(ensemble.neuron_type)
        if type(neuron_type) not in (*ACTIVATIONS, LIF):
            kind = type(neuron_type).__name__
            yield f"ensemble {names[ensemble]} (neuron type {kind} is not known)"
        elif ensemble.noise is not None:
            yield f"ensemble {names[ensemble]} (it has noise)"


def _refuse_connections(network, names):
    for connection in network.all_connections:
        if _delay(connection) is None:
            why = f"synapse {connection.synapse} is neither None nor 0"
        elif connection.learning_rule_type is not None:
            why = "it learns while it runs"
        elif connection.function is not None and isinstance(
            connection.pre_obj, nengo.Node
        ):
            why = "it computes a function of a node"
        elif not isinstance(
            connection.transform,
            (nengo.transforms.Dense, nengo.transforms.NoTransform, *CONVOLUTIONS),
        ):
            why = f"transform {type(connection.transform).__name__} is not known"
        elif (
            isinstance(connection.transform, CONVOLUTIONS)
            and (size := connection.size_out * connection.size_mid) > MAX_WEIGHTS
        ):
            why = (
                f"its convolution is a matrix of {size:,} weights; {MAX_WEIGHTS:,} fit"
            )
        else:
            continue
        yield f"connection {names[connection]} ({why})"


def _delay(connection):
    """Return a connection's delay in steps, None if it filters."""
    if connection.synapse is None:
        return 0
    is_lowpass = isinstance(connection.synapse, nengo.Lowpass)
    return 1 if is_lowpass and connection.synapse.tau == 0 else None


def _population(model, obj, name):
    if isinstance(obj, nengo.Node):
        activation = "input" if obj.size_in == 0 else "linear"
        return Population(name, obj.size_out, activation)
    if isinstance(obj.neuron_type, LIF):
        return _spiking_population(model, obj, name)
    voltage, stagger = None, None
    neuron_type, omega, amplitude = _quantizer(obj.neuron_type)
    if omega is not None:
        omega *= _height(neuron_type)
        voltage = _initial_voltage(model, obj)
        drawn_from = (obj.neuron_type.initial_state or {}).get("voltage")
        stagger = drawn_from.sizes if isinstance(drawn_from, Staggered) else None
    return Population(
        name,
        obj.n_neurons,
        ACTIVATIONS[type(neuron_type)],
        omega=omega,
        amplitude=amplitude * _height(neuron_type),
        bias=np.array(model.params[obj].bias, dtype=float),
        initial_voltage=voltage,
        stagger=stagger,
    )


def _quantizer(neuron_type):
    """Return the rate type behind a quantizer, its omega and amplitude; None, 1."""
    if isinstance(neuron_type, HybridSpiking):
        return neuron_type.base_type, neuron_type.omega, neuron_type.amplitude
    if type(neuron_type) is RegularSpiking:
        return neuron_type.base_type, 1.0, neuron_type.amplitude
    if type(neuron_type) is SpikingRectifiedLinear:
        return RectifiedLinear(), 1.0, neuron_type.amplitude
    return neuron_type, None, 1.0


def _initial_voltage(model, ensemble):
    return np.array(model.sig[ensemble.neurons]["voltage"].initial_value, dtype=float)


def _spiking_population(model, ensemble, name):
    """
    Return LIF neurons, in whole steps.

    In a step v goes the same way toward what comes in as Nengo's does, which without a
    refractory period resets it to 0. With one Nengo counts what is left of the step of
    a spike when the neuron has rested; here that is what is above the threshold, which
    stays.
    """
    lif, n, dt = ensemble.neuron_type, ensemble.n_neurons, model.dt
    n_rest = round(lif.tau_ref / dt)
    dynamics = Dynamics(
        threshold=np.ones(n),
        resistance=np.ones(n),
        reset=None if n_rest else np.zeros(n),
        tau_mem=np.full(n, dt / -np.expm1(-dt / lif.tau_rc)),
        leak=np.zeros(n),
        minimum=np.full(n, float(lif.min_voltage)),
        refractory=np.full(n, n_rest),
    )
    return Population(
        name,
        n,
        dynamics.kind,
        amplitude=lif.amplitude / dt,
        bias=np.array(model.params[ensemble].bias, dtype=float),
        initial_voltage=_initial_voltage(model, ensemble),
        dynamics=dynamics,
    )


def _height(base_type):
    """Return the factor that a rate type puts on its bare activation function."""
    return getattr(base_type, "amplitude", 1.0) / getattr(base_type, "tau_ref", 1.0)


def _projection(model, connection, names):
    """Fold slices, gains and encoders into one matrix (n_post, n_pre)."""
    pre, post = _owner(connection.pre_obj), _owner(connection.post_obj)
    is_decoded = isinstance(connection.pre_obj, nengo.Ensemble)
    n_pre = connection.pre_obj.n_neurons if is_decoded else connection.pre_obj.size_out
    weights = np.asarray(_built_weights(model, connection), dtype=float)
    if isinstance(connection.transform, CONVOLUTIONS):
        weights = _convolution_matrix(connection.transform, weights)
    if weights.ndim < 2:
        weights = weights * np.eye(connection.size_mid)
    if is_decoded and connection.solver.weights:
        full = weights  # the solver has put the encoders in
    else:
        full = np.zeros((connection.post_obj.size_in, n_pre))
        rows = np.arange(connection.post_obj.size_in)[connection.post_slice]
        columns = np.arange(n_pre)
        if not is_decoded:
            columns = columns[connection.pre_slice]
        # Slices may name an index twice; its parts add up.
        np.add.at(full, np.ix_(rows, columns), weights)
        if isinstance(connection.post_obj, nengo.Ensemble):
            full = model.params[connection.post_obj].scaled_encoders @ full
        elif isinstance(connection.post_obj, Neurons):
            full = model.params[connection.post_obj.ensemble].gain[:, None] * full
    return Projection(
        names[connection], names[pre], names[post], full, delay=_delay(connection)
    )


def _built_weights(model, connection):
    """Return the weights that Nengo's builder made; 1 if it made none."""
    weights = model.params[connection].weights
    return 1.0 if weights is None else weights


def _convolution_matrix(transform, kernel):
    """Return the matrix (size_out, size_in) of what Nengo does with a kernel."""
    matrix = np.zeros((transform.size_out, transform.size_in))
    unit, found = np.zeros(transform.size_in), np.zeros(transform.size_out)
    signals = [Signal(values) for values in (kernel, unit, found)]
    is_transposed = isinstance(transform, nengo.transforms.ConvolutionTranspose)
    convolve = (ConvTransposeInc if is_transposed else ConvInc)(*signals, transform)
    values = SignalDict()
    for signal in signals:
        values.init(signal)
    step = convolve.make_step(values, dt=None, rng=None)
    for i in range(transform.size_in):
        values[signals[1]][...] = np.eye(1, transform.size_in, i)[0]
        values[signals[2]][...] = 0
        step()
        matrix[:, i] = values[signals[2]]
    return matrix


def _owner(obj):
    return obj.ensemble if isinstance(obj, Neurons) else obj


def _output_name(network, names):
    return names[_owner(network.all_probes[0].target)]
