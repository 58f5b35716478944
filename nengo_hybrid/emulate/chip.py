"""Emulate the chip's part of a `QuantizedGraph` for a whole test set: `run`."""

import numpy as np

from nengo_hybrid.emulate.emulator import Emulator, check_batch
from nengo_hybrid.emulate.memory import check_memory, samples_at_once
from nengo_hybrid.emulate.record import Record
from nengo_hybrid.exceptions import EmulateError, Interrupted
from nengo_hybrid.placement import check_placement
from nengo_hybrid.trace import make_trace, signed_spikes


def run(
    graph,
    placement,
    host_counts,
    *,
    target_sha256="",
    seed=0,
    progress=None,
    on_overflow="raise",
    bin_steps=1,
    sample_every=1,
    n_threads=None,
    memory_bytes=None,
    at_once=None,
):
    """
    Run the chip part of a graph, bit for bit as NengoLoihi's emulator does.

    Samples run in parallel, each from rest: a sample gives the same result in a
    batch of any size, and on any number of threads. A batch is worked off in parts
    that fit into memory beside the results.

    Parameters
    ----------
    graph : QuantizedGraph
    placement : Placement
        Where the blocks are; the arithmetic does not depend on it.
    host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
        What the host computed: spike counts of every injected population.
    target_sha256 : str
        Digest of the target, for the record.
    seed : int
        Of the chip's noise; of the host's initial voltages, for the record.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` now and then, and at the end.
    on_overflow : str
        When a register overflows, "raise" an error, or "warn" and go on with what
        is left in it.
    bin_steps : int
        Sum spikes and updates over so many time steps. With as many as the run has,
        only counts are kept, and memory does not grow with the steps.
    sample_every : int
        Read the graph's probes of voltages and currents every so many steps.
    n_threads : int, optional
        By default as many as there are processors.
    memory_bytes : int, optional
        What the run may use; by default what the machine has free.
    at_once : int, optional
        Samples of a part, at most; by default as many as fit.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError
        If an injected population is missing, of another size, or not of whole
        numbers, or has negative counts where there are no lines for them.
    EmulateError
        If a value overflows a register, with the sample, step, population and value;
        if the results do not fit into memory, with the batch that would; or if an
        argument is out of range.
    Interrupted
        A `KeyboardInterrupt` that came while it ran; ``trace`` has the samples that
        were done.
    """
    check_placement(graph, placement)
    for name, steps in (("bin_steps", bin_steps), ("sample_every", sample_every)):
        _check_whole(name, steps)
    shape = graph.check_counts(host_counts)
    n_samples, n_steps = shape[0], graph.chip_time_steps(shape[1])
    # Samples of a graph that learns run one after the other.
    check_batch(graph, min(n_samples, 1) if graph.learns else n_samples)
    bins = {"bin_steps": min(bin_steps, max(n_steps, 1)), "sample_every": sample_every}
    free = check_memory(graph, n_samples, n_steps, memory_bytes, **bins)
    fitting = samples_at_once(graph, n_samples, n_steps, free)
    at_once = fitting if at_once is None else min(at_once, fitting)
    emulator = Emulator(
        graph, at_once, seed=seed, on_overflow=on_overflow, n_threads=n_threads
    )
    record = emulator.new_record(n_samples, n_steps, **bins)
    none = {i.name: np.zeros((0, n_steps, i.n_lines), np.int16) for i in graph.inputs}
    injected = {
        name: np.zeros((n_samples, *spikes.shape[1:]), spikes.dtype)
        for name, spikes in signed_spikes(graph, none, bins["bin_steps"]).items()
    }

    def trace(n_done):
        found = emulator.read(_samples(record, 0, n_done))
        return make_trace(
            graph,
            {name: spikes[:n_done] for name, spikes in injected.items()},
            found.spikes,
            found.active,
            backend="emulator",
            target_sha256=target_sha256,
            seed=seed,
            n_steps=n_steps,
            bin_steps=bins["bin_steps"],
            probes=found.probes,
        )

    n_done = 0
    try:
        for start in range(0, n_samples, at_once):
            part = slice(start, min(start + at_once, n_samples))
            lines = graph.inject({k: counts[part] for k, counts in host_counts.items()})
            for name, spikes in signed_spikes(graph, lines, bins["bin_steps"]).items():
                injected[name][part] = spikes
            _run_part(emulator, graph, lines, record, part)
            n_done = part.stop
            if progress is not None:
                progress(n_done, n_samples)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(trace(n_done)) from interrupt
    return trace(n_samples)


def _run_part(emulator, graph, lines, record, part):
    """Run some samples from rest, into their part of the record."""
    every_line = np.concatenate([lines[i.name] for i in graph.inputs], axis=2)
    emulator.reset(emulator.seed, n_samples=len(every_line), first_sample=part.start)
    own = _samples(record, part.start, part.stop)
    emulator.advance(every_line, own)
    emulator.warn_of_overflows(own, 0)


def _samples(record, start, stop):
    """Return the part of a record that holds some samples."""
    steps = {"bin_steps", "column", "every", "voltage_of", "current_of"}
    parts = (v if k in steps else v[start:stop] for k, v in record._asdict().items())
    return Record(*parts)


def _check_whole(name, value):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise EmulateError(
            f"{name} has to be a whole number of steps, at least 1, got {value!r}"
        )
