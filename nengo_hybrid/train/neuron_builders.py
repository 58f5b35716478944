"""How NengoDL runs and trains `HybridSpiking` and `Identity`."""

import math

import tensorflow as tf
from nengo_dl.builder import Builder, OpBuilder
from nengo_dl.neuron_builders import SimNeuronsBuilder, TFNeuronBuilder

from nengo_hybrid.neurons import Identity, SimHybridSpiking


class IdentityBuilder(TFNeuronBuilder):
    """Build a group of `Identity` operators."""

    def step(self, J, dt):
        return J


SimNeuronsBuilder.TF_NEURON_IMPL[Identity] = IdentityBuilder


@Builder.register(SimHybridSpiking)
class HybridSpikingBuilder(OpBuilder):
    """
    Build one `SimHybridSpiking` operator.

    Forward, in training too, the neuron spikes; backward it is its base type
    (straight-through), and nothing flows into the voltage. NengoDL's own
    ``TFNeuronBuilder`` would hold the voltage and train on the rates.

    In training every sample of every minibatch gets a voltage of its own,
    uniform in [0, 1): otherwise the network fits the one vector that NengoDL
    repeats over the minibatch. They follow from TensorFlow's seed and ``n_drawn``,
    the number of minibatches before; whoever sets it goes on from there.
    """

    def __init__(self, ops):
        super().__init__(ops)
        self.n_drawn = tf.Variable(0, trainable=False, dtype=tf.int64, name="n_drawn")

    def build_pre(self, signals, config):
        super().build_pre(signals, config)
        (op,) = self.ops
        self.rate_data = signals[op.J]
        self.output_data = signals[op.output]
        self.voltage_data = signals[op.state["voltage"]]
        self.omega_data = signals[op.omega]
        self.amplitude = tf.constant(op.neurons.amplitude, signals.dtype)
        self.shift = self._draw_shift(signals, config, op)

    def _draw_shift(self, signals, config, op):
        """Return what turns the initial voltage into a fresh uniform one."""
        initial = tf.constant(op.state["voltage"].initial_value, signals.dtype)
        training = tf.cast(config.training, signals.dtype)
        step = tf.cast(config.training, tf.int64)
        n_before = self.n_drawn.assign_add(step) - step
        shape = (signals.minibatch_size, op.output.shape[0])
        return training * (uniform(shape, n_before, signals.dtype) - initial)

    def build_step(self, signals):
        rate = signals.gather(self.rate_data)
        voltage = signals.gather(self.voltage_data)
        counts_per_rate = signals.gather(self.omega_data) * signals.dt

        increment = tf.stop_gradient(counts_per_rate * rate)
        count = tf.floor(voltage + self.shift + increment)
        quantized = count / counts_per_rate
        output = rate + tf.stop_gradient(quantized - rate)

        signals.scatter(self.output_data, self.amplitude * output)
        signals.scatter(self.voltage_data, voltage + increment - count)


def uniform(shape, n_before, dtype):
    """
    Draw as ``tf.random.uniform`` does when called in a graph for the (n+1)th time.

    That function keeps its count where nothing can read or set it, so that a training
    could not go on from a checkpoint with it.

    Parameters
    ----------
    shape : tuple of int
    n_before : int64 tensor
        How many times there was a draw before.
    dtype : str or tf.DType

    Returns
    -------
    tensor
        Uniform in [0, 1).
    """
    # Both are None only in a graph that was made before any seed was set.
    key, stream = ((seed or 0) % 2**64 for seed in tf.compat.v1.random.get_seed(None))
    # Philox, of which TensorFlow sets 256 blocks aside for every number.
    position = tf.cast(n_before, tf.uint64) * (256 * math.prod(shape))
    counter = tf.stack([position, tf.constant(stream, tf.uint64)])
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=shape,
        key=tf.constant([key], tf.uint64),
        counter=counter,
        alg=1,
        dtype=dtype,
    )
