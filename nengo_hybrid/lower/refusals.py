"""
What NengoLoihi's builder refuses: one function a rule, and every breach is found.

The builder stops at its first one, some with no word of what was wrong. Each rule
yields sentences that say what to do.
"""

import warnings

import nengo
import numpy as np
from nengo.exceptions import NengoException
from nengo_loihi.block import LoihiBlock
from nengo_loihi.builder import Builder
from nengo_loihi.inputs import ChipProcess

ON_HOST = "net.config[ensemble].on_chip = False"


def refuses_ensemble(ensemble, model):
    """Yield why an ensemble cannot be built on the chip."""
    yield from _refuses_neuron_type(ensemble, model)
    if ensemble.noise is not None:
        yield f"its noise cannot be built; take it off, or set {ON_HOST}"
    if (ensemble.gain is None) != (ensemble.bias is None):
        given = "bias" if ensemble.gain is None else "gain"
        yield f"only its {given} is set; set gain and bias, or none"


def _refuses_neuron_type(ensemble, model):
    """Ask NengoLoihi's builder of the type, with a single compartment."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of states that do not start at 0
            model.seeds[ensemble] = 0
            neuron_type = ensemble.neuron_type
            Builder.build(model, neuron_type, ensemble.neurons, LoihiBlock(1))
    except NengoException as error:
        name = type(ensemble.neuron_type).__name__
        if isinstance(ensemble.neuron_type, nengo.RegularSpiking):
            name += f" of {ensemble.neuron_type.base_type}"
        is_generic = "cannot be simulated" in str(error)
        why = "" if is_generic else f" ({' '.join(str(error).split())})"
        yield (
            f"neurons of type {name} cannot run on the chip{why}; take LIF or "
            f"SpikingRectifiedLinear, or set {ON_HOST}"
        )


def refuses_connection(connection, *, pre_on_chip, post_on_chip):
    """Yield why a connection that touches the chip cannot be built."""
    if not pre_on_chip and not post_on_chip:
        return
    if pre_on_chip and not post_on_chip:
        yield from _refuses_to_host(connection)
        return
    yield from _refuses_synapse(connection)
    yield from _refuses_post_slice(connection)
    if pre_on_chip:
        yield from _refuses_on_chip(connection)
    else:
        yield from _refuses_from_host(connection)
    if is_convolution(connection.transform):
        yield from _refuses_convolution(connection)


def _refuses_to_host(connection):
    transform = connection.transform
    if not isinstance(transform, nengo.Dense | nengo.transforms.NoTransform):
        yield (
            f"a transform of type {type(transform).__name__} cannot be read by the "
            "host; make it dense, or put it behind a node"
        )
    if isinstance(connection.pre_obj, nengo.Node):
        yield "spikes of a file cannot be read by the host; connect ensembles to it"
    rule = connection.learning_rule_type
    if rule is not None:
        yield from _refuses_learning(connection, rule)


def _refuses_learning(connection, rule):
    if not isinstance(rule, nengo.PES):
        yield f"only PES learns on the chip, not {type(rule).__name__}"
    elif not isinstance(rule.pre_synapse, nengo.Lowpass):
        yield "PES needs a pre_synapse of type Lowpass"
    if not isinstance(connection.pre_obj, nengo.Ensemble):
        yield "only what is decoded of an ensemble learns; connect the ensemble"


def _refuses_synapse(connection):
    synapse = connection.synapse
    if synapse is not None and not isinstance(synapse, nengo.Lowpass):
        kind = type(synapse).__name__
        yield f"a compartment filters with Lowpass or None, not {kind}"


def _refuses_post_slice(connection):
    if connection.post_slice == slice(None):
        return
    if isinstance(connection.post_obj, nengo.ensemble.Neurons):
        yield "it reaches some neurons only; connect to all, with weights of 0"
    elif not _is_full(connection):
        yield "it reaches some dimensions only; place values with a transform instead"


def _is_full(connection):
    """Tell whether decoders and encoders become one matrix of weights."""
    decoded = isinstance(connection.pre_obj, nengo.Ensemble)
    return decoded and connection.solver.weights


def _refuses_on_chip(connection):
    transform, pre = connection.transform, connection.pre_obj
    if isinstance(pre, nengo.Ensemble) and isinstance(transform, nengo.Sparse):
        yield "what is decoded cannot have a sparse transform; make it dense"
    rule = connection.learning_rule_type
    if rule is not None:
        yield from _refuses_learning(connection, rule)


def _refuses_from_host(connection):
    transform = connection.transform
    from_neurons = isinstance(connection.pre_obj, nengo.ensemble.Neurons)
    is_plain = isinstance(transform, nengo.Dense | nengo.transforms.NoTransform)
    if not from_neurons and not is_plain:
        yield (
            f"a transform of type {type(transform).__name__} takes spikes, and a node "
            "sends values; put neurons between them"
        )


def _refuses_convolution(connection):
    transform, post = connection.transform, connection.post_obj
    if transform.dimensions != 2:
        yield f"convolutions have 2 dimensions, not {transform.dimensions}"
    if getattr(transform, "groups", 1) != 1:
        yield "a convolution cannot have groups; make a connection of each"
    if transform.input_shape.channels_last != transform.output_shape.channels_last:
        yield "a convolution cannot move the channels from first to last"
    kinds = nengo.ensemble.Neurons | nengo.Node
    if not isinstance(connection.pre_obj, kinds):
        yield "a convolution takes spikes; connect from ensemble.neurons"
    if not isinstance(post, nengo.ensemble.Neurons):
        yield "a convolution reaches neurons; connect to ensemble.neurons"
    elif not _has_one_gain(post.ensemble):
        yield "neurons behind a convolution need one gain; set it, and the bias"


def _has_one_gain(ensemble):
    if ensemble.gain is not None:
        return _is_constant(ensemble.gain)
    return _is_constant(ensemble.max_rates) and _is_constant(ensemble.intercepts)


def _is_constant(values):
    """Tell whether an array, or what is drawn of a distribution, is all alike."""
    if isinstance(values, nengo.dists.Choice):
        values = values.options
    elif isinstance(values, nengo.dists.Uniform):
        values = [values.low, values.high]
    elif isinstance(values, nengo.dists.Distribution):
        return False
    return np.ptp(values) == 0


def is_convolution(transform):
    """Tell whether a transform is a convolution, or the transpose of one."""
    kinds = nengo.Convolution | nengo.transforms.ConvolutionTranspose
    return isinstance(transform, kinds)


def is_chip_process(obj):
    """Tell whether an object is a node whose spikes the chip makes, as of a file."""
    return isinstance(obj, nengo.Node) and isinstance(obj.output, ChipProcess)
