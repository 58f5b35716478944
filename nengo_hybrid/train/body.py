"""The trained part of a network, as TensorFlow computes it."""

import numpy as np
import tensorflow as tf

ACTIVATIONS = {
    "RectifiedLinear": tf.nn.relu,
    "Identity": tf.identity,
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
}


class Body:
    """
    The trained part of a plan, as TensorFlow computes it.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan):
        self.plan = plan
        self.weights = {
            name: tf.Variable(w, name=name) for name, w in plan.trained_weights.items()
        }
        self.biases = {
            name: tf.Variable(b, name=name) for name, b in plan.trained_biases.items()
        }
        self.omegas = {
            p.name: tf.Variable(np.float32(p.omega), trainable=False, name=p.name)
            for p in plan.body
            if p.is_hybrid
        }
        self._full = {
            p.name: tf.constant(p.weights, tf.float32)
            for p in plan.graph.projections
            if p.name not in self.weights
            and p.post not in plan.fixed
            and p.pre not in plan.fixed
        }

    @property
    def variables(self):
        """What the optimizer changes, in a fixed order."""
        return [*self.weights.values(), *self.biases.values()]

    def draw_voltages(self, n_samples, rng):
        """Draw the voltages of all hybrid populations, uniform in [0, 1)."""
        return {
            p.name: rng.uniform((n_samples, p.n_neurons))
            for p in self.plan.body
            if p.is_hybrid
        }

    def run(self, values, voltages):
        """
        Run the steps that are read.

        Parameters
        ----------
        values : dict of str to (n_samples, n_steps, n) tensor
            By projection from a fixed population; see `features`.
        voltages : dict of str to (n_samples, n) tensor
            Of hybrid populations, before the first of these steps.

        Returns
        -------
        values, rates : dict of str to (n_samples, n_steps, n) tensor
            Activity of all populations, and the rates behind it.
        """
        values, rates = dict(values), {}
        for population in self.plan.body:
            name = population.name
            current = self._current(population, values)
            if population.activation == "linear":
                values[name] = rates[name] = current
                continue
            rate = ACTIVATIONS[population.activation](current)
            rates[name] = values[name] = population.amplitude * rate
            if population.is_hybrid:
                scale = self.omegas[name] * self.plan.graph.dt
                before = voltages[name][:, None]
                sums = before + tf.cumsum(scale * rate, axis=1)
                counts = tf.floor(sums) - tf.floor(tf.concat([before, sums[:, :-1]], 1))
                quantized = counts * (population.amplitude / scale)
                # Forward the counts, backward the rate: straight through.
                step = tf.stop_gradient(quantized - rates[name])
                values[name] = rates[name] + step
        return values, rates

    def _current(self, population, values):
        current = 0.0
        for projection in self.plan.graph.into(population.name):
            is_fixed = projection.pre in self.plan.fixed
            if is_fixed and projection.name not in self.weights:
                current += values[projection.name]
                continue
            weights = self._full.get(projection.name)
            if weights is None:
                name = projection.name
                weights = self.plan.gains[name] * self.weights[name]
            # As one flat product; a stack of them would copy the weights for each.
            values_in = values[projection.name if is_fixed else projection.pre]
            flat = tf.reshape(values_in, (-1, values_in.shape[2]))
            product = tf.linalg.matmul(flat, weights, transpose_b=True)
            current += tf.reshape(product, (*tf.unstack(tf.shape(values_in))[:2], -1))
        bias = self.biases.get(population.name, population.bias)
        return current if bias is None else current + tf.cast(bias, tf.float32)

    def read(self):
        """Return the values that training changed, by `with_parameters`' names."""
        found = {f"{name}.weights": v.numpy() for name, v in self.weights.items()}
        found |= {f"{name}.bias": v.numpy() for name, v in self.biases.items()}
        return found
