"""
Populations that feed one another, run step by step, forward and back.

The loops carry nothing but what comes from the step before, and what it takes to come
back. Products with what is known beforehand are done before them, and the gradient of
each weight is one product of all steps, after them.
"""

import tensorflow as tf

ACTIVATIONS = {
    "RectifiedLinear": tf.nn.relu,
    "Identity": tf.identity,
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
}
# Derivatives of those that are not straight lines, from the rate.
SLOPES = {
    "RectifiedLinear": lambda rate: tf.cast(rate > 0, rate.dtype),
    "Tanh": lambda rate: 1 - tf.square(rate),
    "Sigmoid": lambda rate: rate * (1 - rate),
}


class Loop:
    """
    A stage of a plan whose populations feed one another.

    Parameters
    ----------
    plan : Plan
    stage : Stage
    last_steps : int, optional
        How many of the last steps are read; by default all.
    """

    def __init__(self, plan, stage, *, last_steps=None):
        self.populations, self.last_steps = stage.populations, last_steps
        self.inside = plan.inside(stage)
        self.trained = [p for p in self.inside if p.name in plan.trained_weights]
        self.late = list(dict.fromkeys(p.pre for p in self.inside if p.delay))
        self.whole = plan.needed_whole(stage)
        self.moved = plan.moved(stage)
        self.is_learned = stage.is_learned
        self.sent, self.into = {}, {}
        for p in self.inside:
            self.sent.setdefault((p.pre, p.delay), []).append(p)
            self.into.setdefault(p.post, []).append(p)
        # For each population: how its rates, and its values, are kept.
        used = {p.pre for p in self.trained} | self.whole
        self.kept = {"rates": {}, "values": {}}
        for p in self.populations:
            if p.has_neurons:
                comes_back = self.is_learned and p.activation in SLOPES
                is_used = p.name in used and not p.is_hybrid
                self.kept["rates"][p.name] = comes_back or is_used
            if p.is_hybrid or not p.has_neurons:
                self.kept["values"][p.name] = p.name in used

    def run(self, shape, currents, weights, voltages, scales):
        """
        Run all steps.

        Parameters
        ----------
        shape : (int, int)
            Steps and samples.
        currents : dict of str to (n_steps, n_samples, n) or (n,) tensor
            What comes from outside, by population.
        weights : dict of str to (n_post, n_pre) tensor
            By projection within the stage.
        voltages : dict of str to (n_samples, n) tensor
            Before the first step.
        scales : dict of str to tensor
            Counts per rate, of hybrid populations.

        Returns
        -------
        values, rates : dict of str to (n, n_samples, n_neurons) tensor
            By population, of all steps or of those that are read.
        """
        hybrid = [p.name for p in self.populations if p.is_hybrid]
        voltages, scales = ({n: d[n] for n in hybrid} for d in (voltages, scales))
        moved = {n: currents[n] for n in currents if n in self.moved}
        trained = {p.name: weights[p.name] for p in self.trained}

        @tf.custom_gradient
        def run(*changing):
            changing = dict(zip((*moved, *trained), changing, strict=True))
            from_outside = {n: changing.get(n, c) for n, c in currents.items()}
            within = {n: changing.get(n, w) for n, w in weights.items()}
            kept = self._forward(shape, from_outside, within, voltages, scales)

            def gradient(*wanted):
                wanted = self._named(wanted)
                return self._gradient(shape, wanted, kept, within, moved)

            return self._answers(kept), gradient

        if self.is_learned:
            answers = run(*moved.values(), *trained.values())
        else:
            kept = self._forward(shape, currents, weights, voltages, scales)
            answers = [tf.stop_gradient(answer) for answer in self._answers(kept)]
        found = self._named(answers)
        return found["values"], found["values"] | found["rates"]

    def _named(self, answers):
        """Name answers: values of all, and rates of hybrid populations."""
        values = {p.name: a for p, a in zip(self.populations, answers, strict=False)}
        rest = answers[len(self.populations) :]
        hybrid = [p.name for p in self.populations if p.is_hybrid]
        return {"values": values, "rates": dict(zip(hybrid, rest, strict=True))}

    def _answers(self, kept):
        """Return the values of all populations, and the rates of hybrid ones."""
        values = [
            self._cut(p.name, self._values(p, kept), p.name in self.whole)
            for p in self.populations
        ]
        rates = [
            p.amplitude * self._cut(p.name, kept["rates"][p.name], False)
            for p in self.populations
            if p.is_hybrid
        ]
        return [*values, *rates]

    def _cut(self, name, values, is_whole):
        is_cut = self.last_steps is not None and not is_whole
        return values[-self.last_steps :] if is_cut else values

    def _values(self, population, kept):
        name = population.name
        if name in kept["values"]:
            return kept["values"][name]
        return population.amplitude * kept["rates"][name]

    def _n_kept(self, n_steps, is_whole):
        return n_steps if is_whole or self.last_steps is None else self.last_steps

    def _forward(self, shape, currents, weights, voltages, scales):
        """Return what is kept of all steps: "rates" without amplitude, and "values"."""
        n_steps, n_samples = shape
        # Turned once, since products with them as they are would do it in each step.
        turned = {name: tf.transpose(w) for name, w in weights.items()}
        arrays = {
            kind: {
                name: tf.TensorArray(tf.float32, self._n_kept(n_steps, is_whole))
                for name, is_whole in kept.items()
            }
            for kind, kept in self.kept.items()
        }

        def step(t, before, voltages, arrays):
            sums = {n: c[t] if c.shape.rank == 3 else c for n, c in currents.items()}
            for name, values in before.items():
                _send(sums, self.sent[name, 1], turned, values)
            found, voltages = self._step(sums, turned, voltages, scales)
            arrays = {
                kind: {
                    name: array.write(
                        self._row(t, n_steps, self.kept[kind][name]), found[kind][name]
                    )
                    for name, array in by_name.items()
                }
                for kind, by_name in arrays.items()
            }
            return t + 1, {n: found["values"][n] for n in before}, voltages, arrays

        state = (0, self._zeros(n_samples), voltages, arrays)
        *_, arrays = tf.while_loop(lambda t, *_: t < n_steps, step, state)
        return tf.nest.map_structure(lambda array: array.stack(), arrays)

    def _step(self, sums, turned, voltages, scales):
        """Advance all populations by a step; return rates and values, and voltages."""
        found, voltages = {"rates": {}, "values": {}}, dict(voltages)
        for p in self.populations:
            value = sums[p.name]
            if p.has_neurons:
                rate = found["rates"][p.name] = ACTIVATIONS[p.activation](value)
                value = p.amplitude * rate
            if p.is_hybrid:
                total = voltages[p.name] + scales[p.name] * rate
                counts = tf.floor(total)
                voltages[p.name] = total - counts
                value = counts * (p.amplitude / scales[p.name])
            found["values"][p.name] = value
            _send(sums, self.sent.get((p.name, 0), ()), turned, value)
        return found, voltages

    def _zeros(self, n_samples):
        """Return what comes from the step before the first, or behind the last."""
        size = {p.name: p.n_neurons for p in self.populations}
        return {name: tf.zeros((n_samples, size[name])) for name in self.late}

    def _row(self, t, n_steps, is_whole):
        """Return where to keep a step; what is not read is written over."""
        return tf.maximum(t - (n_steps - self._n_kept(n_steps, is_whole)), 0)

    def _gradient(self, shape, wanted, kept, weights, moved):
        """Return the gradients of what changes, from those of the answers."""
        arriving = self._backward(shape, wanted, kept, weights)
        found = [
            arriving[name] if current.shape.rank == 3 else _sum(arriving[name])
            for name, current in moved.items()
        ]
        by_name = {p.name: p for p in self.populations}
        for projection in self.trained:
            values = self._values(by_name[projection.pre], kept)
            at_post = arriving[projection.post]
            if projection.delay:
                values, at_post = values[:-1], at_post[1:]
            found.append(
                tf.linalg.matmul(_flat(at_post), _flat(values), transpose_a=True)
            )
        return found

    def _backward(self, shape, wanted, kept, weights):
        """Return the gradients of currents, (n_steps, n_samples, n), of those moved."""
        n_steps, n_samples = shape
        n_last = self._n_kept(n_steps, False)
        arrays = {name: tf.TensorArray(tf.float32, n_steps) for name in self.moved}

        def make_step(is_read):
            def step(t, after, arrays):
                sums, before, arrays = dict(after), {}, dict(arrays)
                for kind, by_name in wanted.items():
                    for name, rows in by_name.items():
                        is_whole = kind == "values" and name in self.whole
                        if is_whole or is_read:
                            row = rows[t if is_whole else t - (n_steps - n_last)]
                            sums[name] = sums[name] + row if name in sums else row
                for p in reversed(self.populations):
                    at_post = p.amplitude * sums[p.name]
                    if p.activation in SLOPES:
                        at_post *= SLOPES[p.activation](kept["rates"][p.name][t])
                    if p.name in arrays:
                        arrays[p.name] = arrays[p.name].write(t, at_post)
                    _return(sums, before, self.into[p.name], weights, at_post)
                return t - 1, before, arrays

            return step

        state = (n_steps - 1, self._zeros(n_samples), arrays)
        for first, is_read in ((n_steps - n_last, True), (0, False)):
            state = tf.while_loop(
                lambda t, *_, first=first: t >= first, make_step(is_read), state
            )
        return {name: array.stack() for name, array in state[2].items()}


def _send(sums, projections, weights, values):
    """Add what projections from a population carry to what arrives."""
    for p in projections:
        product = tf.linalg.matmul(values, weights[p.name])
        sums[p.post] = sums[p.post] + product


def _return(sums, before, projections, weights, at_post):
    """Add gradients that come back to those of values, of now and a step before."""
    for p in projections:
        product = tf.linalg.matmul(at_post, weights[p.name])
        goal = before if p.delay else sums
        goal[p.pre] = goal[p.pre] + product if p.pre in goal else product


def _flat(values):
    return tf.reshape(values, (-1, values.shape[2]))


def _sum(values):
    return tf.reduce_sum(values, axis=(0, 1))
