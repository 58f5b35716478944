"""The trained part of a network, as TensorFlow computes it."""

import numpy as np
import tensorflow as tf

from nengo_hybrid.train.recurrent import ACTIVATIONS, Loop


class Body:
    """
    The trained part of a plan, as TensorFlow computes it.

    All steps at once, but for populations that feed one another: see `Loop`.

    Parameters
    ----------
    plan : Plan
    last_steps : int, optional
        How many of the last steps are read; by default all that there are.
    train_omega : iterable of str
        Hybrid populations whose omega is trained, by its logarithm.
    """

    def __init__(self, plan, *, last_steps=None, train_omega=()):
        self.plan, self.last_steps = plan, last_steps
        self.weights = {
            name: tf.Variable(w, name=name) for name, w in plan.trained_weights.items()
        }
        self.biases = {
            name: tf.Variable(b, name=name) for name, b in plan.trained_biases.items()
        }
        targets = {p.name: np.float32(p.omega) for p in plan.body if p.is_hybrid}
        self.set_omegas = {
            name: tf.Variable(omega, trainable=False, name=name)
            for name, omega in targets.items()
            if name not in train_omega
        }
        self.log_omegas = {
            name: tf.Variable(np.log(omega), name=name)
            for name, omega in targets.items()
            if name in train_omega
        }
        self._full = {
            p.name: tf.constant(p.weights, tf.float32)
            for p in plan.graph.projections
            if p.name not in self.weights
            and p.post not in plan.fixed
            and (plan.is_recurrent or p.pre not in plan.fixed)
        }
        self._loops = {
            stage.names: Loop(plan, stage, last_steps=last_steps)
            for stage in plan.stages
            if stage.feeds_back
        }
        self._run = tf.function(self.run)

    @property
    def variables(self):
        """What the optimizer changes, in a fixed order."""
        groups = self.weights, self.biases, self.log_omegas
        return [variable for group in groups for variable in group.values()]

    @property
    def omegas(self):
        """Every omega as it is now, by population."""
        return {
            p.name: (
                tf.exp(self.log_omegas[p.name])
                if p.name in self.log_omegas
                else tf.convert_to_tensor(self.set_omegas[p.name])
            )
            for p in self.plan.body
            if p.is_hybrid
        }

    def draw_voltages(self, n_samples, rng):
        """Draw the voltages of all hybrid populations, uniform in [0, 1)."""
        return {
            p.name: rng.uniform((n_samples, p.n_neurons))
            for p in self.plan.body
            if p.is_hybrid
        }

    def run(self, values, voltages):
        """
        Run the steps that are read, and those before them where they are needed.

        Parameters
        ----------
        values : dict of str to (n_samples, n_steps, n) tensor
            By projection from a fixed population; see `features` and `inputs`.
        voltages : dict of str to (n_samples, n) tensor
            Of hybrid populations, before the first step that is run of each.

        Returns
        -------
        values, rates : dict of str to (n_samples, last_steps, n) tensor
            Activity of the body's populations, and the rates behind it.
        """
        values, rates = {name: _turned(v) for name, v in values.items()}, {}
        shape = next(iter(values.values())).shape[:2]
        for stage in self.plan.stages:
            currents = {
                p.name: self._current(p, values, stage) for p in stage.populations
            }
            if stage.feeds_back:
                weights = {p.name: self._weight(p) for p in self.plan.inside(stage)}
                loop = self._loops[stage.names]
                found = loop.run(shape, currents, weights, voltages, self.scales())
            else:
                found = self._run_at_once(stage.populations[0], currents, voltages)
            for known, new in zip((values, rates), found, strict=True):
                known |= new
        return tuple(
            {p.name: _turned(self._last(known[p.name])) for p in self.plan.body}
            for known in (values, rates)
        )

    def run_in_parts(self, values, voltages, *, size):
        """
        Do `run`, compiled; ``size`` samples at a time if all steps are run.

        All samples together would need the memory of as many minibatches.
        """
        n_samples = len(next(iter(values.values())))
        size = size if self.plan.is_recurrent else n_samples
        found = []
        for first in range(0, n_samples, size):
            part = slice(first, first + size)
            cut = {n: tf.constant(array[part]) for n, array in values.items()}
            drawn = {name: array[part] for name, array in voltages.items()}
            found.append(self._run(cut, drawn))
        return tuple(
            {name: tf.concat([p[name] for p in parts], 0) for name in parts[0]}
            for parts in zip(*found, strict=True)
        )

    def scales(self):
        """Return counts per rate of the hybrid populations."""
        return {n: omega * self.plan.graph.dt for n, omega in self.omegas.items()}

    def _run_at_once(self, population, currents, voltages):
        """Run a population for all steps at once; return values and rates by name."""
        name = population.name
        current = currents[name]
        if population.activation == "linear":
            return {name: current}, {name: current}
        bare = ACTIVATIONS[population.activation](current)
        rate = population.amplitude * bare
        if not population.is_hybrid:
            return {name: rate}, {name: rate}
        before, scale = voltages[name][None], self.scales()[name]
        sums = before + tf.cumsum(scale * bare)
        counts = tf.floor(sums) - tf.floor(tf.concat([before, sums[:-1]], 0))
        quantized = counts * (population.amplitude / scale)
        # Forward the counts, backward the rate: straight through. The error is what is
        # left of a count, so it falls as omega rises.
        error = tf.stop_gradient(quantized - rate) * (tf.stop_gradient(scale) / scale)
        return {name: rate + error}, {name: rate}

    def _current(self, population, values, stage):
        """
        Return what comes to a population from outside of its stage.

        Returns
        -------
        (n_steps, n_samples, n) or (n,) tensor
            The second, if nothing but a bias does.
        """
        bias = self.biases.get(population.name, population.bias)
        current = tf.zeros(population.n_neurons) if bias is None else bias
        current = tf.convert_to_tensor(current, tf.float32)
        for projection in self.plan.graph.into(population.name):
            if projection.pre in stage.names:
                continue
            is_fixed = projection.pre in self.plan.fixed
            sent = values[projection.name if is_fixed else projection.pre]
            sent = _a_step_late(sent) if projection.delay else sent
            sent = sent if stage.is_whole else self._last(sent)
            weight = self._weight(projection)
            current = current + (sent if weight is None else _product(sent, weight))
        return current

    def _weight(self, projection):
        """Return the weights (n_post, n_pre); None if `features` has applied them."""
        name = projection.name
        if name in self.weights:
            return self.plan.gains[name] * self.weights[name]
        return self._full.get(name)

    def _last(self, values):
        return values if self.last_steps is None else values[-self.last_steps :]

    def read(self):
        """Return the values that training changed, by `with_parameters`' names."""
        found = {f"{name}.weights": v.numpy() for name, v in self.weights.items()}
        found |= {f"{name}.bias": v.numpy() for name, v in self.biases.items()}
        omegas = self.omegas
        found |= {f"{name}.omega": omegas[name].numpy() for name in self.log_omegas}
        return found


def inputs(plan, x):
    """
    Return what `Body.run` needs of a recurrent plan: the input, for all steps.

    Parameters
    ----------
    plan : Plan
    x : (n_samples, n_steps, size_in) array

    Returns
    -------
    dict of str to (n_samples, n_steps, size_in) float32 array
        By projection from the input.
    """
    x = np.asarray(x, np.float32)
    return {p.name: x for p in plan.graph.projections if p.pre in plan.fixed}


def _turned(values):
    """Swap samples and steps."""
    return tf.transpose(values, (1, 0, 2))


def _a_step_late(values):
    return tf.concat([tf.zeros_like(values[:1]), values[:-1]], 0)


def _product(values, weights):
    """Multiply (n_steps, n_samples, n_pre) by (n_post, n_pre)."""
    # As one flat product; a stack of them would copy the weights for each.
    flat = tf.reshape(values, (-1, values.shape[2]))
    product = tf.linalg.matmul(flat, weights, transpose_b=True)
    return tf.reshape(product, (*tf.unstack(tf.shape(values))[:2], -1))
