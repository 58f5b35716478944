"""Run a `SpikingGraph` in floats, for a whole batch at once."""

import numpy as np

from nengo_hybrid.exceptions import EmulateError, ShapeError

MAX_COUNT = np.iinfo(np.int16).max
ACTIVATIONS = {
    "RectifiedLinear": lambda current: np.maximum(current, 0.0),
    "Identity": lambda current: current,
    "Tanh": np.tanh,
    "Sigmoid": lambda current: 1 / (1 + np.exp(-current)),
}


def run_graph(graph, x, *, seed=None, rates=False, record=None):
    """
    Run a network in floats.

    Does what Nengo's own simulator does, for all samples at once: with
    ``seed=None`` the counts are the same.

    Parameters
    ----------
    graph : SpikingGraph
    x : (n_samples, n_steps, size_in) array
        What the input population gives in each step.
    seed : int, optional
        Draw every sample's initial voltages anew, uniform in [0, 1). By default
        all samples start from the network's own.
    rates : bool
        Run hybrid-spiking populations as the rate neurons they come from.
    record : iterable of str, optional
        Populations to return; by default all that have neurons.

    Returns
    -------
    dict of str to (n_samples, n_steps, n_neurons) array
        Spike counts (int16) of hybrid-spiking populations, values of others;
        with ``rates``, values of all.

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If a value stops being finite, or a count leaves int16; the message names
        population and step.
    """
    source = graph.populations[_input_index(graph)]
    x = np.asarray(x, dtype=float)
    if x.ndim != 3 or x.shape[2] != source.n_neurons:
        raise ShapeError(
            f"input population {source.name!r} needs x of shape (n_samples, n_steps, "
            f"{source.n_neurons}), got {x.shape}"
        )
    if record is None:
        record = [p.name for p in graph.populations if p.activation in ACTIVATIONS]
    run = _Run(graph, x.shape[0], seed, rates)
    recorded = {name: run.empty_record(name, x.shape[1]) for name in record}
    for step in range(x.shape[1]):
        run.step(x[:, step], step)
        for name, values in recorded.items():
            values[:, step] = run.counts.get(name, run.values[name])
    return recorded


def _input_index(graph):
    return next(i for i, p in enumerate(graph.populations) if p.activation == "input")


class _Run:
    """The state of one run: values of this step, and voltages."""

    def __init__(self, graph, n_samples, seed, rates):
        self.graph, self.n_samples, self.rates = graph, n_samples, rates
        self.into = {p.name: graph.into(p.name) for p in graph.populations}
        self.values = {
            p.name: np.zeros((n_samples, p.n_neurons)) for p in graph.populations
        }
        self.counts, self.voltages = {}, {}
        rng = None if seed is None else np.random.default_rng(seed)
        for p in graph.populations:
            if p.is_hybrid and not rates:
                shape = (n_samples, p.n_neurons)
                drawn = p.initial_voltage if rng is None else rng.random(shape)
                self.voltages[p.name] = np.broadcast_to(drawn, shape).copy()

    def empty_record(self, name, n_steps):
        """Make room for what `run_graph` returns of one population."""
        population = self.graph.population(name)
        dtype = np.int16 if name in self.voltages else float
        return np.zeros((self.n_samples, n_steps, population.n_neurons), dtype=dtype)

    def step(self, x, step):
        """Advance all populations by one step, in their order."""
        before = dict(self.values)
        for population in self.graph.populations:
            name = population.name
            if population.activation == "input":
                self.values[name] = x
                continue
            current = 0.0 if population.bias is None else population.bias
            for projection in self.into[name]:
                values = before if projection.delay else self.values
                current = current + values[projection.pre] @ projection.weights.T
            current = np.broadcast_to(current, (self.n_samples, population.n_neurons))
            self.values[name] = self._activate(population, current)
            self._check(name, step)

    def _check(self, name, step):
        if not np.all(np.isfinite(self.values[name])):
            raise EmulateError(
                f"population {name!r} is not finite at step {step}; the network "
                "diverges: check its feedback weights"
            )
        largest = np.abs(self.counts.get(name, 0)).max(initial=0)
        if largest > MAX_COUNT:
            raise EmulateError(
                f"population {name!r} has a count of {largest:.0f} at step {step}, "
                f"more than {MAX_COUNT}; lower its omega, or run it with rates=True"
            )

    def _activate(self, population, current):
        if population.activation == "linear":
            return current
        rate = ACTIVATIONS[population.activation](current)
        if population.name not in self.voltages:
            return population.amplitude * rate
        scale = population.omega * self.graph.dt
        voltage = self.voltages[population.name]
        voltage += scale * rate
        count = np.floor(voltage)
        voltage -= count
        self.counts[population.name] = count
        return count * (population.amplitude / scale)
