"""
Training in parallel over time.

What comes before the first trained weight and the first quantizer (the input, an exact
memory) is linear and fixed, so each of its values is a weighted sum of the input: one
matrix product gives it for the steps that are read. What comes after runs forward only,
and the quantizer's counts are differences of cumulative sums. A quantizer's voltage is
uniform at every step if it starts so, whatever came in; so a run may start at the first
step that is read, with a voltage drawn anew for each sample of each minibatch.

Where something trained feeds back, all steps are run, and what is on a cycle step by
step; see `nengo_hybrid.train.recurrent`.
"""

import numpy as np
import tensorflow as tf

from nengo_hybrid.graphs import digest
from nengo_hybrid.metrics import bits_max, significant_bits
from nengo_hybrid.train.body import Body, inputs
from nengo_hybrid.train.budgets import penalty, without_rates
from nengo_hybrid.train.front import features
from nengo_hybrid.train.losses import cross_entropy


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
        schedules,
        budgets,
        budget_weight,
        train_omega,
        readout_steps,
        minibatch_size,
        seed,
        logit_scale,
        label_smoothing,
    ):
        self.plan, self.data, self.schedules = plan, data, schedules
        self.budgets, self.budget_weight = budgets, budget_weight
        self.readout_steps, self.minibatch_size = readout_steps, minibatch_size
        self.seed, self.logit_scale = seed, logit_scale
        self.label_smoothing = label_smoothing
        self.body = Body(plan, last_steps=readout_steps, train_omega=train_omega)
        self.rng = tf.random.Generator.from_seed(seed)
        self.features = {"validation": self._features("validation", seed)}
        self._finite = None

    def _features(self, part, seed):
        x = getattr(self.data, part).x
        if self.plan.is_recurrent:
            return inputs(self.plan, x)
        return features(self.plan, x, self.readout_steps, seed=seed)

    @property
    def hybrid(self):
        """Target omega of every hybrid-spiking population, by name."""
        return {p.name: p.omega for p in self.plan.body if p.is_hybrid}

    def omegas(self, done):
        """Return every omega, by population, when the part ``done`` is over."""
        trained, now = self.body.log_omegas, self.body.omegas
        return {
            n: float(now[n]) if n in trained else self.schedules.omega(n, done, target)
            for n, target in self.hybrid.items()
        }

    def set_omega(self, done):
        """Set omegas for a training of which the part ``done`` is over."""
        for name, variable in self.body.set_omegas.items():
            variable.assign(self.schedules.omega(name, done, self.hybrid[name]))

    @property
    def undecayed(self):
        """The variables that ``weight_decay`` leaves alone."""
        return [*self.body.biases.values(), *self.body.log_omegas.values()]

    def compile(self, optimizer):
        """Get ready to train with an optimizer."""
        self.optimizer = optimizer
        optimizer.build(self.body.variables)

        def step(values, labels):
            loss, finite, gradients = self._gradients(values, labels)
            optimizer.apply_gradients(zip(gradients, self.body.variables, strict=True))
            return loss, finite

        self._step = tf.function(step)

    def fit_epoch(self, epoch, order, first, *, begin, end):
        """
        Train on the samples of an epoch, or on those that are left of it.

        Parameters
        ----------
        epoch : int
        order : (n,) int array
            The samples, a multiple of the minibatch's size.
        first : int
            The minibatch to begin with.
        begin, end : callable
            Called as ``begin(minibatch)`` and ``end(minibatch, loss)``.
        """
        self._prepare(epoch)
        size = self.minibatch_size
        for i in range(first, len(order) // size):
            begin(i)
            chosen = order[i * size : (i + 1) * size]
            values = {
                name: tf.constant(array[chosen])
                for name, array in self.features["train"].items()
            }
            labels = tf.constant(self.data.train.y[chosen])
            loss, self._finite = self._step(values, labels)
            end(i, float(loss))

    def _prepare(self, epoch):
        """Compute what is fixed; anew for each epoch, if that draws voltages."""
        if self.plan.redraws:
            drawn = np.random.SeedSequence([self.seed, epoch]).generate_state(1)
            self.features["train"] = self._features("train", int(drawn[0]))
        elif "train" not in self.features:
            self.features["train"] = self._features("train", self.seed)

    def _gradients(self, values, labels):
        voltages = self.body.draw_voltages(self.minibatch_size, self.rng)
        with tf.GradientTape() as tape:
            activity, rates = self.body.run(values, voltages)
            loss = self._loss(activity, labels, self.label_smoothing)
            loss += self._penalty(rates, self.budgets)
        finite = self._all_finite(activity)
        return loss, finite, tape.gradient(loss, self.body.variables)

    def _loss(self, activity, labels, label_smoothing):
        losses = cross_entropy(
            tf.reduce_mean(activity[self.plan.graph.output], axis=1),
            labels,
            logit_scale=self.logit_scale,
            label_smoothing=label_smoothing,
        )
        return tf.reduce_mean(losses)

    def _penalty(self, rates, budgets):
        """Return what is added to the loss by what is over a budget."""
        scales = self.body.scales()
        return sum(
            self.budget_weight
            * penalty(limits, rates[name] / self._unit(name), scales.get(name))
            for name, limits in budgets.items()
        )

    def _unit(self, name):
        return self.plan.graph.population(name).amplitude

    def _all_finite(self, activity):
        """Tell of each population, in the order of evaluation, if it is finite."""
        found = (activity[p.name] for p in self.plan.body)
        return tf.stack([tf.reduce_all(tf.math.is_finite(a)) for a in found])

    def first_not_finite(self):
        """Name the first population with a value that is not finite, if any."""
        for population, is_finite in zip(self.plan.body, self._finite, strict=True):
            if not is_finite:
                return f"population {population.name}"
        return None

    def validate(self, *, bits):
        """
        Try the validation part, spiking.

        Parameters
        ----------
        bits : bool
            Whether to measure how many bits the counts need.

        Returns
        -------
        scores : dict of str to float
            Loss and accuracy, and what is over the budgets of bits and spikes, if any.
        bits : dict of str to float
            "bits_max.<population>" and "significant_bits.<population>".
        """
        split, rng = self.data.validation, tf.random.Generator.from_seed(self.seed)
        activity, rates = self.body.run_in_parts(
            self.features["validation"],
            self.body.draw_voltages(len(split), rng),
            size=self.minibatch_size,
        )
        self._finite = self._all_finite(activity)
        output = activity[self.plan.graph.output]
        answers = tf.argmax(tf.reduce_mean(output, axis=1), axis=1).numpy()
        scores = {
            "val_loss": float(self._loss(activity, tf.constant(split.y), 0.0)),
            "val_accuracy": float(np.mean(answers == split.y)),
        }
        costs = without_rates(self.budgets)
        if costs:
            scores["val_penalty"] = float(self._penalty(rates, costs))
        return scores, self._bits(activity) if bits else {}

    def _bits(self, activity):
        found = {}
        for name, omega in self.body.omegas.items():
            counts_per_value = omega * self.plan.graph.dt / self._unit(name)
            counts = tf.round(activity[name] * counts_per_value)
            if np.all(np.isfinite(counts)):
                counts = counts.numpy().astype(np.int64)
                found[f"bits_max.{name}"] = bits_max(counts)
                found[f"significant_bits.{name}"] = significant_bits(counts)
        return found

    def read(self):
        """Return the values that training changed, and the final omegas."""
        omegas = {f"{n}.omega": np.float32(o) for n, o in self.omegas(1.0).items()}
        return omegas | self.body.read()

    def _variables(self):
        """All that changes while training, by name."""
        found = {"rng": self.rng.state}
        for kind, variables in (
            ("body", self.body.variables),
            ("optimizer", self.optimizer.variables),
        ):
            found |= {f"{kind}.{i}": v for i, v in enumerate(variables)}
        return found

    def state(self):
        """Return, by name, the arrays from which `restore` goes on."""
        return {name: v.numpy() for name, v in self._variables().items()}

    def restore(self, state):
        """Go back to what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def identity(self):
        """Return a digest of the network before its training."""
        plan = self.plan
        trained = sorted(plan.trained_weights), sorted(plan.trained_biases)
        return digest((plan.graph, trained))
