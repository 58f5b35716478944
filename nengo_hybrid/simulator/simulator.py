"""`LoihiSimulator`: build with NengoLoihi, run on the compiled emulator."""

import warnings

import numpy as np
from nengo.exceptions import (
    ReadonlyError,
    SimulationError,
    SimulatorClosed,
    ValidationError,
)
from nengo.utils.progress import Progress, ProgressTracker

from nengo_hybrid.emulate import free_bytes
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.lower import Timers, build_chip
from nengo_hybrid.simulator.checks import (
    check_arguments,
    check_data,
    check_steps,
    check_time,
)
from nengo_hybrid.simulator.chip import Chip
from nengo_hybrid.simulator.data import SimulationData
from nengo_hybrid.simulator.host import Host

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
    counts_only : bool or iterable of nengo.Probe
        Probes on the chip that keep nothing but the sum over all steps, in one row;
        True for all of them.
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
    nengo.exceptions.BuildError
        If the network has nothing on the chip, or cannot be built for it.
    EmulateError
        If the network learns, in a batch of several samples.

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
        counts_only=False,
        n_threads=None,
    ):
        self.closed = True
        check_arguments(network, target, minibatch_size)
        self.timers, self.target = Timers(), "sim"
        self.timers.start("build")
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
        self.seed = _choose_seed(seed, network)
        n_samples = minibatch_size or 1
        self._chip = Chip(
            self.model,
            n_samples,
            seed=self.seed,
            on_overflow=on_overflow,
            n_threads=n_threads,
        )
        self._hosts = [Host(self.model, self.seed) for _ in range(n_samples)]
        self.data = SimulationData(
            self.model, self._hosts, minibatch_size, counts_only=counts_only
        )
        self._n_steps, self._broken = 0, False
        self.closed = False
        self.timers.stop("build")

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
        return self._n_steps

    @property
    def time(self):
        """(float) Time run so far, in seconds."""
        return self.n_steps * self.dt

    @property
    def graph(self):
        """(QuantizedGraph) What is on the chip."""
        return self._chip.graph

    @property
    def trace(self):
        """(Trace) Counts of all steps so far, in one bin; see `nengo_hybrid.trace`."""
        return self._chip.trace(self.n_steps)

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
        self._chip.reset(self.seed)
        for host in self._hosts:
            host.reset(self.seed)
        self.data.reset()
        self._n_steps, self._broken = 0, False

    def run(self, time_in_seconds, *, data=None, progress_bar=None):
        """
        Run for some time, rounded to whole steps; see `run_steps`.

        Parameters
        ----------
        time_in_seconds : float
            At least 0.
        """
        check_time(time_in_seconds)
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
            At least 0.
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
        check_steps(steps)
        self.check_memory(steps)
        feeds = check_data(data or {}, steps, self.minibatch_size, self.network)
        if steps == 0:
            return
        bar = self.progress_bar if progress_bar is None else progress_bar
        kept = len(self._hosts) * max(self.graph.n_compartments, self.graph.n_lines)
        most = max(1, KEPT_VALUES // kept)
        with ProgressTracker(
            bar or False, Progress("Simulating", "Simulation", steps)
        ) as tracker:
            for start in range(0, steps, most):
                stop = min(start + most, steps)
                part = {node: x[:, start:stop] for node, x in feeds.items()}
                self._run_part(stop - start, part, tracker.total_progress)
        for host in self._hosts:
            host.release()

    def check_memory(self, steps):
        """
        Check that what probes are going to record in some steps fits into memory.

        Raises
        ------
        EmulateError
            If it does not; with the number of steps that does.
        """
        probes = list(self.data.growing)
        for simulator in self._hosts[0].simulators:
            probes += simulator.model.probes
        sizes = [probe.size_in / self._period(probe) for probe in probes]
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

    def _run_part(self, steps, feeds, progress):
        """Run steps whose values are kept until probes have taken what they need."""
        record, lines = self._chip.new_record(steps), self._chip.new_lines(steps)
        self._broken = True
        self.timers.start("run")
        try:
            if self.precompute:
                self._run_ahead(steps, feeds, lines, record)
                progress.step(steps)
            else:
                self._run_together(steps, feeds, lines, record, progress)
            self._broken = False
        finally:
            done = self._chip.count(lines, record, self.n_steps)
            self.data.collect(self._chip, record, self.n_steps, done)
            self._n_steps += done
            self.timers.stop("run")

    def _run_ahead(self, steps, feeds, lines, record):
        """Run what feeds the chip, then the chip, then what the chip feeds."""
        for sample, host in enumerate(self._hosts):
            _run_host(host, host.before, steps, feeds, sample)
        self._chip.advance(self._hosts, lines, record, self.n_steps)
        for sample, host in enumerate(self._hosts):
            _run_host(host, host.beside, steps, feeds, sample)

    def _run_together(self, steps, feeds, lines, record, progress):
        """Run host and chip in turns, a step each."""
        with Host.advancing():
            for step in range(steps):
                for sample, host in enumerate(self._hosts):
                    for node, x in feeds.items():
                        host.feed(node, x[sample, step])
                    if host.beside is not None:
                        host.advance(host.beside)
                at_step, first = lines[:, step : step + 1], self.n_steps + step
                self._chip.advance(self._hosts, at_step, record, first)
                progress.step()

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


def _run_host(host, simulator, steps, feeds, sample):
    """Run one of a host's simulators for some steps."""
    if simulator is None:
        return
    with host.advancing():
        for step in range(steps):
            for node, x in feeds.items():
                host.feed(node, x[sample, step])
            host.advance(simulator)


def _choose_seed(seed, network):
    if seed is not None:
        return seed
    if network.seed is not None:
        return network.seed + 1
    return int(np.random.randint(np.iinfo(np.int32).max))
