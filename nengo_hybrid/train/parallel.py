"""
Training in parallel over time, for networks in which nothing trained feeds back.

What comes before the first trained weight and the first quantizer (the input, an exact
memory) is linear and fixed, so each of its values is a weighted sum of the input: one
matrix product gives it for the steps that are read. What comes after runs forward only,
and the quantizer's counts are differences of cumulative sums. A quantizer's voltage is
uniform at every step if it starts so, whatever came in; so a run may start at the first
step that is read, with a voltage drawn anew for each sample of each minibatch.
"""

from dataclasses import dataclass

import nengo
import numpy as np
import tensorflow as tf
from nengo.ensemble import Neurons

from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.parameters import object_names, trained_objects

ACTIVATIONS = {
    "RectifiedLinear": tf.nn.relu,
    "Identity": tf.identity,
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
}
# Of the mean activity of the output, which is at most a few units.
LOGIT_SCALE = 10.0


@dataclass(frozen=True)
class Plan:
    """
    How a network trains in parallel over time.

    Attributes
    ----------
    graph : SpikingGraph
    fixed : tuple of str
        Populations that nothing trained and no quantizer comes before.
    body : tuple of Population
        The others, in their order of evaluation.
    trained_weights : dict of str to (n_post, n_pre) array
        By projection; before the gains of the neurons they lead to.
    gains : dict of str to (n_post, 1) array
        By projection, of those that are trained.
    trained_biases : dict of str to (n_neurons,) array
        By population.
    """

    graph: object
    fixed: tuple
    body: tuple
    trained_weights: dict
    gains: dict
    trained_biases: dict


def reasons_against(network, graph):
    """
    Find why a network cannot train in parallel over time.

    Parameters
    ----------
    network : nengo.Network
    graph : SpikingGraph
        The same, lowered.

    Returns
    -------
    list of str
        A sentence for each object that stands against it; empty if it can.
    """
    names, trained = object_names(network), trained_objects(network)
    found = []
    for ensemble in network.all_ensembles:
        if ensemble in trained and not isinstance(ensemble.gain, np.ndarray):
            found.append(f"ensemble {names[ensemble]} has gains that would be trained")
        own, lowered = ensemble.neuron_type, graph.population(names[ensemble])
        if lowered.is_hybrid and own.omega != lowered.omega:
            found.append(
                f"ensemble {names[ensemble]} has an activation with a height of its own"
            )
    for connection in network.all_connections:
        if isinstance(connection.post_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} goes through encoders")
        elif connection in trained and isinstance(connection.pre_obj, nengo.Ensemble):
            found.append(f"connection {names[connection]} has trained decoders")
        elif connection in trained and not _is_whole(connection):
            found.append(
                f"connection {names[connection]} trains a part of what it joins"
            )
    fixed = _fixed_populations(graph, {names[obj] for obj in trained})
    for projection in graph.projections:
        if projection.post not in fixed and projection.delay:
            found.append(f"connection {projection.name} feeds back, a step late")
    return found


def make_plan(network, *, dt):
    """
    Lower a network, and sort what is fixed from what is trained.

    Returns
    -------
    Plan or None
    reasons : list of str
        Why there is no plan; empty if there is one.
    """
    graph = to_graph(network, dt=dt)
    reasons = reasons_against(network, graph)
    if reasons:
        return None, reasons
    names, trained = object_names(network), trained_objects(network)
    fixed = _fixed_populations(graph, {names[obj] for obj in trained})
    by_name = {projection.name: projection for projection in graph.projections}
    weights, gains, biases = {}, {}, {}
    for obj in trained:
        name = names[obj]
        if isinstance(obj, nengo.Ensemble):
            biases[name] = np.asarray(graph.population(name).bias, np.float32)
        else:
            gain = _gain(obj)
            gains[name] = gain
            weights[name] = (by_name[name].weights / gain).astype(np.float32)
    body = tuple(p for p in graph.populations if p.name not in fixed)
    return Plan(graph, fixed, body, weights, gains, biases), []


def _is_whole(connection):
    """Tell whether a connection has a weight for every pair of what it joins."""
    pre, post = connection.pre_obj, connection.post_obj
    whole = connection.pre_slice == slice(None) and connection.post_slice == slice(None)
    dense = isinstance(connection.transform, nengo.transforms.Dense)
    return (
        whole
        and dense
        and connection.transform.init_shape
        == (
            post.size_in,
            pre.size_out,
        )
    )


def _gain(connection):
    if isinstance(connection.post_obj, Neurons):
        return np.asarray(connection.post_obj.ensemble.gain, np.float32)[:, None]
    return np.ones((connection.post_obj.size_in, 1), np.float32)


def _fixed_populations(graph, trained):
    """Return the linear populations that nothing else comes before."""
    fixed = {p.name for p in graph.populations if p.activation in ("input", "linear")}
    while True:
        outside = {
            p.post for p in graph.projections if p.name in trained or p.pre not in fixed
        }
        if not outside & fixed:
            return tuple(p.name for p in graph.populations if p.name in fixed)
        fixed -= outside


def responses(plan, n_steps):
    """
    Compute how fixed populations answer to an impulse in each input dimension.

    Parameters
    ----------
    plan : Plan
    n_steps : int

    Returns
    -------
    dict of str to (n_steps, size_in, n) array
        By lag, for every projection from a fixed population to another.
    """
    graph = plan.graph
    source = next(p for p in graph.populations if p.activation == "input")
    # Behind weights that are not trained, what they give; else what goes into them.
    leaving = {
        p.name: p
        for p in graph.projections
        if p.pre in plan.fixed and p.post not in plan.fixed
    }
    values = {
        n: np.zeros((source.n_neurons, graph.population(n).n_neurons))
        for n in plan.fixed
    }
    kept = {name: [] for name in leaving}
    for step in range(n_steps):
        before = dict(values)
        for name in plan.fixed:
            if name == source.name:
                values[name] = np.eye(source.n_neurons) * (step == 0)
                continue
            values[name] = sum(
                (before if p.delay else values)[p.pre] @ p.weights.T
                for p in graph.into(name)
            )
        for name, projection in leaving.items():
            value = values[projection.pre]
            is_trained = name in plan.trained_weights
            kept[name].append(value if is_trained else value @ projection.weights.T)
    return {name: np.stack(rows) for name, rows in kept.items()}


def features(plan, x, last_steps):
    """
    Compute what fixed populations send to the others in the last steps.

    Parameters
    ----------
    plan : Plan
    x : (n_samples, n_steps, size_in) array
    last_steps : int

    Returns
    -------
    dict of str to (n_samples, last_steps, n) float32 array
    """
    n_samples, n_steps, size_in = x.shape
    flat = np.asarray(x, np.float32).reshape(n_samples, n_steps * size_in)
    found = {}
    for name, response in responses(plan, n_steps).items():
        values = np.zeros((n_samples, last_steps, response.shape[2]), np.float32)
        for i in range(last_steps):
            n_seen = n_steps - last_steps + 1 + i
            weights = response[:n_seen][::-1].reshape(n_seen * size_in, -1)
            values[:, i] = flat[:, : n_seen * size_in] @ weights.astype(np.float32)
        found[name] = values
    return found


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
