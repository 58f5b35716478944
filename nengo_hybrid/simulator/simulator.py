"""`LoihiSimulator`: build with NengoLoihi, run on the compiled emulator."""

import numbers
import warnings

import numpy as np
from nengo.exceptions import (
    ReadonlyError,
    SimulationError,
    SimulatorClosed,
    ValidationError,
)
from nengo.utils.progress import Progress, ProgressTracker

from nengo_hybrid.emulate import Emulator, free_bytes
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.lower import build_chip, probe_filter, read_chip
from nengo_hybrid.simulator.data import SimulationData
from nengo_hybrid.simulator.host import Host, feedable
from nengo_hybrid.trace import make_trace

# Compartments times steps that are kept at once, before probes take what they need.
KEPT_VALUES = 50_000_000
VALUE_BYTES = 8


class LoihiSimulator:
    """
    Run a Nengo network as Loihi 1 would: a drop-in for ``nengo_loihi.Simulator``.

    NengoLoihi's builder makes the chip model; our emulator runs it, with the same
    spikes, voltages and currents as NengoLoihi's, and what stays on the host runs
    in Nengo. With a ``minibatch_size`` many samples run at once, each as if alone.

    Parameters
    ----------
    network : nengo.Network
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Of noise, of rounding while learning, and of the host's processes; by
        default the network's seed plus 1, or a random one.
    model : nengo_loihi.builder.Model, optional
        To build into, with options that were set on it.
    precompute : bool, optional
        Whether the inputs to the chip are computed before it runs; by default, if
        that is possible.
    target : str, optional
        "sim" or None. For a board use NengoLoihi's own simulator.
    progress_bar : bool or nengo.utils.progress.ProgressBar, optional
        Whether, and how, to show progress.
    remove_passthrough : bool
        Whether nodes that only pass values on are taken out.
    hardware_options : dict, optional
        For boards; has no effect here.
    minibatch_size : int, optional
        Samples to run at once; probes then give (minibatch_size, n_steps, size).
    on_overflow : str
        When a register of the chip overflows, "warn" and go on with what is left in
        it, or "raise" an `EmulateError`.
    counts_only : iterable of nengo.Probe
        Probes that keep nothing but the sum over all steps, in one row.
    n_threads : int, optional
        By default as many as there are processors.

    Attributes
    ----------
    data : Mapping
        From probes to what they recorded, and from other objects to what was built.
    graph : QuantizedGraph
        What is on the chip.
    model : nengo_loihi.builder.Model
    closed : bool

    Raises
    ------
    ValidationError
        If an argument is out of range.
    LowerError, EmulateError
        If the network has nothing on the chip, or learns in a batch.

    Examples
    --------
    >>> with nengo.Network(seed=0) as net:
    ...     neurons = nengo.Ensemble(50, 1)
    ...     probe = nengo.Probe(neurons)
    >>> with nh.LoihiSimulator(net) as sim:
    ...     sim.run(0.1)
    >>> sim.data[probe].shape
    (100, 1)
    """

    def __init__(
        self,
        network,
        dt=0.001,
        seed=None,
        model=None,
        precompute=None,
        target=None,
        progress_bar=None,
        remove_passthrough=True,
        hardware_options=None,
        *,
        minibatch_size=None,
        on_overflow="warn",
        counts_only=(),
        n_threads=None,
    ):
        self.closed = True
        self._check(network, target, minibatch_size)
        self.network, self.progress_bar = network, progress_bar
        self.minibatch_size = minibatch_size
        self.model = build_chip(
            network,
            dt=dt,
            model=model,
            precompute=precompute,
            remove_passthrough=remove_passthrough,
        )
        self.precompute = self.model.split.precompute
        if self.model.split.precomputable() and not self.precompute:
            warnings.warn(
                "Model is precomputable. Setting precompute=False may slow execution.",
                stacklevel=2,
            )
        self.graph = read_chip(self.model)
        self.seed = _choose_seed(seed, network)
        n_samples = minibatch_size or 1
        self._emulator = Emulator(
            self.graph,
            n_samples,
            seed=self.seed,
            on_overflow=on_overflow,
            n_threads=n_threads,
        )
        self._hosts = [Host(self.model, self.seed) for _ in range(n_samples)]
        self.data = SimulationData(self.model, self._hosts, minibatch_size)
        self._index_model(counts_only)
        self._start()
        self.closed = False

    @staticmethod
    def _check(network, target, minibatch_size):
        if network is None:
            raise ValidationError("network parameter must not be None", attr="network")
        if target not in (None, "sim"):
            raise ValidationError(
                f"must be 'sim' or None, got {target!r}; NengoLoihi's own simulator "
                "runs boards ('loihi') and networks in floats ('simreal')",
                attr="target",
            )
        if minibatch_size is not None and not (
            isinstance(minibatch_size, numbers.Integral)
            and not isinstance(minibatch_size, bool)
            and minibatch_size >= 1
        ):
            raise ValidationError(
                f"must be a whole number of at least 1, or None, got "
                f"{minibatch_size!r}",
                attr="minibatch_size",
            )

    def _index_model(self, counts_only):
        """Find lines, synapses and probes of the graph by their NengoLoihi objects."""
        first = np.cumsum([0] + [lines.n_lines for lines in self.graph.inputs])
        inputs = list(self.model.inputs)
        self._lines_of = {
            receiver: slice(first[inputs.index(lines)], first[inputs.index(lines) + 1])
            for receiver, lines in self.model.spike_targets.items()
        }
        self._permanent = [
            (step, slice(start, start + lines.n_neurons), lines.spikes[step])
            for lines, start in zip(inputs, first, strict=False)
            for step in sorted(lines.permanent)
        ]
        self._synapses = {
            id(synapse): (b, s)
            for b, block in enumerate(self.model.blocks)
            for s, synapse in enumerate(block.synapses)
        }
        self._probe_numbers = {p: i for i, p in enumerate(self.model.probes)}
        unknown = [p for p in counts_only if p not in self.data.probes]
        if unknown:
            raise ValidationError(
                f"has {unknown[0]}, which is no probe on the chip", attr="counts_only"
            )
        self._counts_only = set(counts_only)

    def _start(self):
        """Set what a run counts up to its start."""
        n_samples = len(self._hosts)
        self.n_steps_done, self._broken = 0, False
        self._filters = {
            probe: [probe_filter(self.dt) for _ in range(n_samples)]
            for probe in self.data.probes
        }
        self._spikes = np.zeros((n_samples, self.graph.n_compartments), np.int64)
        self._active = np.zeros((n_samples, len(self.graph.blocks)), np.int64)
        self._injected = np.zeros((n_samples, self.graph.n_lines), np.int64)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self.close()

    def __del__(self):
        """Warn if we are dropped while open."""
        if not getattr(self, "closed", True):
            warnings.warn(
                f"Simulator with model={self.model} was deallocated while open. Please "
                "close simulators manually to ensure resources are properly freed.",
                ResourceWarning,
                stacklevel=2,
            )

    @property
    def dt(self):
        """(float) Length of a time step, in seconds."""
        return self.model.dt

    @dt.setter
    def dt(self, _):
        raise ReadonlyError(attr="dt", obj=self)

    @property
    def n_steps(self):
        """(int) Time steps run so far."""
        return self.n_steps_done

    @property
    def time(self):
        """(float) Time run so far, in seconds."""
        return self.n_steps_done * self.dt

    @property
    def trace(self):
        """(Trace) Counts of all steps so far, in one bin; see `nengo_hybrid.trace`."""
        injected, first = {}, 0
        for lines in self.graph.inputs:
            counts = self._injected[:, None, first : first + lines.n_lines]
            injected[lines.population], first = counts, first + lines.n_lines
        return make_trace(
            self.graph,
            injected,
            self._spikes[:, None],
            self._active[:, None],
            backend="emulator",
            target_sha256="",
            seed=self.seed,
            n_steps=self.n_steps,
            bin_steps=max(self.n_steps, 1),
        )

    def close(self):
        """Close the simulator; ``data`` stays readable."""
        for host in self._hosts:
            host.close()
        self.closed = True

    def clear_probes(self):
        """Forget what all probes recorded."""
        self.data.clear()
        for host in self._hosts:
            host.clear_probes()

    def reset(self, seed=None):
        """
        Go back to the start: state, learned weights, recorded data, random numbers.

        Parameters
        ----------
        seed : int, optional
            By default the one that was used before.
        """
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        self.seed = self.seed if seed is None else seed
        self._emulator.reset(self.seed)
        for host in self._hosts:
            host.reset(self.seed)
        self.data.clear()
        self._start()

    def run(self, time_in_seconds, *, data=None, progress_bar=None):
        """
        Run for some time, rounded to whole steps; see `run_steps`.

        Parameters
        ----------
        time_in_seconds : float
            At least 0.
        """
        if not np.isfinite(time_in_seconds) or time_in_seconds < 0:
            raise ValidationError(
                f"must be a positive time in seconds, got {time_in_seconds}",
                attr="time_in_seconds",
            )
        steps = int(np.round(float(time_in_seconds) / self.dt))
        if steps == 0:
            warnings.warn(
                f"{time_in_seconds:g} results in running for 0 timesteps. Simulator "
                f"still at time {self.time:g}.",
                stacklevel=2,
            )
        else:
            self.run_steps(steps, data=data, progress_bar=progress_bar)

    def step(self):
        """Run one time step."""
        self.run_steps(1, progress_bar=False)

    def run_steps(self, steps, *, data=None, progress_bar=None):
        """
        Run some time steps.

        An interrupt (Ctrl-C) leaves what was recorded readable.

        Parameters
        ----------
        steps : int
            At least 1.
        data : dict of nengo.Node to array, optional
            What nodes with a constant output give instead: (n_steps, size), or
            (minibatch_size, n_steps, size).
        progress_bar : optional
            Instead of the simulator's own.
        """
        if self.closed:
            raise SimulatorClosed("Simulator cannot run because it is closed.")
        if self._broken:
            raise SimulationError(
                "the last run stopped halfway through a step; reset the simulator first"
            )
        steps = self._check_steps(steps)
        self._check_memory(steps)
        feeds = self._check_data(data or {}, steps)
        bar = self.progress_bar if progress_bar is None else progress_bar
        kept = len(self._hosts) * self.graph.n_compartments
        most = max(1, KEPT_VALUES // kept)
        with ProgressTracker(
            bar or False, Progress("Simulating", "Simulation", steps)
        ) as tracker:
            for start in range(0, steps, most):
                stop = min(start + most, steps)
                part = {node: x[:, start:stop] for node, x in feeds.items()}
                self._run_part(stop - start, part, tracker.total_progress)

    def _run_part(self, steps, feeds, progress):
        """Run steps whose values are kept until probes have taken what they need."""
        record = self._emulator.new_record(len(self._hosts), steps)
        self._broken = True
        try:
            if self.precompute:
                self._run_ahead(steps, feeds, record)
                progress.step(steps)
            else:
                self._run_together(steps, feeds, record, progress)
            self._broken = False
        finally:
            self._collect(record)

    def _run_ahead(self, steps, feeds, record):
        """Run what feeds the chip, then the chip, then what the chip feeds."""
        for sample, host in enumerate(self._hosts):
            self._run_host(host, host.before, sample, steps, feeds)
        lines = np.zeros((len(self._hosts), steps, self.graph.n_lines), np.int16)
        first = self.n_steps
        self._take(lines, first)
        self._emulator.advance(lines, record)
        self._give(record, first, slice(steps))
        for sample, host in enumerate(self._hosts):
            self._run_host(host, host.beside, sample, steps, feeds)

    @staticmethod
    def _run_host(host, simulator, sample, steps, feeds):
        if simulator is None:
            return
        with host.advancing():
            for step in range(steps):
                for node, x in feeds.items():
                    host.feed(node, x[sample, step])
                host.advance(simulator)

    def _run_together(self, steps, feeds, record, progress):
        """Run host and chip in turns, a step each."""
        lines = np.zeros((len(self._hosts), 1, self.graph.n_lines), np.int16)
        first = self.n_steps
        with Host.advancing():
            for step in range(steps):
                for sample, host in enumerate(self._hosts):
                    for node, x in feeds.items():
                        host.feed(node, x[sample, step])
                    if host.beside is not None:
                        host.advance(host.beside)
                lines[:] = 0
                self._take(lines, first + step)
                self._emulator.advance(lines, record)
                self._give(record, first + step, slice(step, step + 1))
                progress.step()

    def _take(self, lines, first):
        """Take what the hosts sent for some steps, and the errors that came with it."""
        for step, where, spikes in self._permanent:
            if first < step <= first + lines.shape[1]:
                lines[:, step - 1 - first, where][:, spikes] = 1
        for sample, host in enumerate(self._hosts):
            for receiver, step, spiked in host.take_spikes():
                lines[sample, step - 1 - first, self._lines_of[receiver]] = spiked
        if self.graph.learns:
            (host,) = self._hosts
            errors = [(*self._synapses[id(s)], e) for s, e in host.take_errors()]
            self._emulator.set_errors(errors)
        self._injected += lines.sum(axis=1)

    def _give(self, record, first, rows):
        """Give the hosts what probes read for them in some steps."""
        for probe in self._hosts[0].receivers:
            for sample, host in enumerate(self._hosts):
                values = self._values(probe, record, sample, rows)
                for k, x in enumerate(values):
                    host.receivers[probe].receive(self.dt * (first + k + 2), x)

    def _values(self, probe, record, sample, rows):
        """Return what a probe reads of a sample, weighted, (n_rows, size)."""
        reader = self.model.objs[probe]["out"]
        number = self._probe_numbers[reader]
        columns = self._emulator.read_probe(record, number, sample, rows)
        if reader.key == "spiked":
            columns = columns.astype(bool)
        parts = self.graph.probes[number].parts
        if len(parts) == 1:
            # As NengoLoihi's probe does, without its checks, which take their time.
            weights = reader.weights[0]
            return columns if weights is None else columns.dot(weights)
        ends = np.cumsum([len(neurons) for _, neurons in parts])[:-1]
        return reader.weight_outputs(np.split(columns, ends, axis=1))

    def _collect(self, record):
        """Let probes take what they need of a record, as far as it was run."""
        done = int(record.n_done.min())
        self._emulator.warn_of_overflows(record, self.n_steps)
        for probe in self.data.probes:
            reader = self.model.objs[probe]["out"]
            values = [
                self._filters[probe][sample](
                    reader, self._values(probe, record, sample, slice(done))
                )
                for sample in range(len(self._hosts))
            ]
            self._keep(probe, np.stack(values))
        self._spikes += record.spikes[:, :done].sum(axis=1)
        self._active += record.active[:, :done].sum(axis=1)
        self.n_steps_done += done

    def _keep(self, probe, values):
        """Append to a probe's data what it is to keep of new values."""
        if probe in self._counts_only:
            self.data.add(probe, values.sum(axis=1, keepdims=True), total=True)
            return
        if probe.sample_every is not None:
            steps = self.n_steps + 1 + np.arange(values.shape[1])
            values = values[:, steps % (probe.sample_every / self.dt) < 1]
        self.data.add(probe, values)

    def trange(self, sample_every=None, dt=None):
        """
        Return the times, in seconds, of the values that probes recorded.

        Parameters
        ----------
        sample_every : float, optional
            Of the probe, in seconds; by default every step.
        """
        if dt is not None:
            raise ValidationError("is now sample_every", attr="dt", obj=self)
        period = 1 if sample_every is None else sample_every / self.dt
        steps = np.arange(1, self.n_steps + 1)
        return self.dt * steps[steps % period < 1]

    @staticmethod
    def _check_steps(steps):
        is_whole = isinstance(steps, numbers.Integral) and not isinstance(steps, bool)
        if not is_whole or steps < 0:
            raise EmulateError(
                f"steps has to be a whole number, at least 0, got {steps}"
            )
        return int(steps)

    def _check_memory(self, steps):
        """Check that what probes are going to record fits into memory."""
        sizes = [
            self.model.objs[probe]["out"].output_size / self._period(probe)
            for probe in self.data.probes
            if probe not in self._counts_only
        ]
        sizes += [
            probe.size_in / self._period(probe)
            for simulator in self._hosts[0].simulators
            for probe in simulator.model.probes
        ]
        per_step = int(np.ceil(VALUE_BYTES * len(self._hosts) * sum(sizes)))
        free = free_bytes()
        if steps * per_step > free:
            raise EmulateError(
                f"the probes record {steps * per_step:,} bytes in {steps} steps, of "
                f"which {free:,} are free; {free // per_step} steps fit. Give probes a "
                "sample_every, or name them in counts_only"
            )

    def _period(self, probe):
        """Return the steps from one recorded value of a probe to the next."""
        return 1 if probe.sample_every is None else max(1, probe.sample_every / self.dt)

    def _check_data(self, data, steps):
        """Check what nodes are to give; return it as (n_samples, n_steps, size)."""
        checked = {}
        for node, values in data.items():
            if not feedable(self.model, node):
                raise EmulateError(
                    f"data is for nodes with a constant output, such as "
                    f"nengo.Node(np.zeros(size)); {node} is none"
                )
            values = np.asarray(values, dtype=float)
            wanted = len(self._hosts), steps, node.size_out
            if self.minibatch_size is None and values.ndim == 2:
                values = values[None]
            if values.shape != wanted:
                wanted = wanted if self.minibatch_size else wanted[1:]
                raise ShapeError(
                    f"{node} needs data of shape {wanted}, got {values.shape}"
                )
            if not np.all(np.isfinite(values)):
                raise EmulateError(f"{node} needs finite numbers, got NaN or infinity")
            checked[node] = values
        return checked


def _choose_seed(seed, network):
    if seed is not None:
        return seed
    if network.seed is not None:
        return network.seed + 1
    return int(np.random.randint(np.iinfo(np.int32).max))
