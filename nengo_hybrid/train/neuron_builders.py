"""How NengoDL runs and trains `HybridSpiking` and `Identity`."""

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
    repeats over the minibatch.
    """

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
        drawn = tf.random.uniform(
            (signals.minibatch_size, op.output.shape[0]), dtype=signals.dtype
        )
        training = tf.cast(config.training, signals.dtype)
        return training * (drawn - initial)

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
