"""
Training in parallel over time, for networks in which nothing trained feeds back.

What comes before the first trained weight and the first quantizer (the input, an exact
memory) is linear and fixed, so each of its values is a weighted sum of the input: one
matrix product gives it for the steps that are read. What comes after runs forward only,
and the quantizer's counts are differences of cumulative sums. A quantizer's voltage is
uniform at every step if it starts so, whatever came in; so a run may start at the first
step that is read, with a voltage drawn anew for each sample of each minibatch.
"""

import numpy as np
import tensorflow as tf

from nengo_hybrid.train.body import Body
from nengo_hybrid.train.front import features

# Of the mean activity of the output, which is at most a few units.
LOGIT_SCALE = 10.0


class ParallelSession:
    """
    One training in parallel over time; see `nengo_hybrid.train.engine.train`.

    Parameters
    ----------
    plan : Plan
    data : nengo_hybrid.datasets.Dataset
    **settings
        As in `train`.
    """

    def __init__(
        self,
        plan,
        data,
        *,
        smoothing,
        rate_limits,
        rate_limit_weight,
        readout_steps,
        minibatch_size,
        seed,
    ):
        self.plan, self.data, self.smoothing = plan, data, smoothing
        self.rate_limits, self.rate_limit_weight = rate_limits, rate_limit_weight
        self.minibatch_size, self.history = minibatch_size, {}
        self.body = Body(plan)
        self.rng = tf.random.Generator.from_seed(seed)
        self.features = {
            part: features(plan, getattr(data, part).x, readout_steps)
            for part in ("train", "validation")
        }
        self._run = tf.function(self.body.run)

    @property
    def hybrid(self):
        """Target omega of every hybrid-spiking population, by name."""
        return {p.name: p.omega for p in self.plan.body if p.is_hybrid}

    def omega(self, name, done):
        """Return the omega of a population when the part ``done`` is over."""
        target = self.hybrid[name]
        return target if self.smoothing is None else self.smoothing.omega(done, target)

    def set_omega(self, done):
        """Set every omega for a training of which the part ``done`` is over."""
        for name, variable in self.body.omegas.items():
            variable.assign(self.omega(name, done))

    def compile(self, optimizer):
        """Get ready to train with an optimizer."""
        optimizer.build(self.body.variables)

        def step(values, labels):
            loss, gradients = self._gradients(values, labels)
            optimizer.apply_gradients(zip(gradients, self.body.variables, strict=True))
            return loss

        self._step = tf.function(step)

    def fit_epoch(self, order, parts, bar):
        """
        Train on the samples of an epoch.

        Parameters
        ----------
        order : (n,) int array
            The samples, a multiple of the minibatch's size.
        parts : (n_batches,) array
            Part of the training that is over before each minibatch.
        bar : EpochProgress

        Returns
        -------
        float
            Mean loss.
        """
        size, total = self.minibatch_size, 0.0
        for i in range(len(parts)):
            self.set_omega(parts[i])
            chosen = order[i * size : (i + 1) * size]
            values = {
                name: tf.constant(array[chosen])
                for name, array in self.features["train"].items()
            }
            labels = tf.constant(self.data.train.y[chosen])
            loss = float(self._step(values, labels))
            bar.on_train_batch_end(i, {"loss": loss})
            total += loss
        return total / len(parts)

    def _gradients(self, values, labels):
        voltages = self.body.draw_voltages(self.minibatch_size, self.rng)
        with tf.GradientTape() as tape:
            activity, rates = self.body.run(values, voltages)
            loss = cross_entropy(activity[self.plan.graph.output], labels)
            for name, limit in self.rate_limits.items():
                excess = tf.nn.relu(rates[name] / self._unit(name) - limit)
                loss += self.rate_limit_weight * tf.reduce_mean(tf.square(excess))
        return loss, tape.gradient(loss, self.body.variables)

    def _unit(self, name):
        return self.plan.graph.population(name).amplitude

    def validate(self, seed):
        """Return loss and accuracy on the validation part, spiking."""
        split, rng = self.data.validation, tf.random.Generator.from_seed(seed)
        activity, _ = self._run(
            {n: tf.constant(a) for n, a in self.features["validation"].items()},
            self.body.draw_voltages(len(split), rng),
        )
        output = activity[self.plan.graph.output]
        answers = tf.argmax(tf.reduce_mean(output, axis=1), axis=1).numpy()
        return {
            "val_loss": float(cross_entropy(output, tf.constant(split.y))),
            "val_accuracy": float(np.mean(answers == split.y)),
        }

    def read(self):
        """Return the values that training changed, and the final omegas."""
        omegas = {
            f"{name}.omega": np.float32(self.omega(name, 1.0)) for name in self.hybrid
        }
        return self.body.read() | omegas


def cross_entropy(activity, labels):
    """Return the mean loss of activity (n_samples, n_steps, n_classes)."""
    logits = LOGIT_SCALE * tf.reduce_mean(activity, axis=1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(losses)
