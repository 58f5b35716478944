"""How much memory a run takes, before it starts."""

import psutil

from nengo_hybrid.exceptions import EmulateError

SPIKE_BYTES, SUM_BYTES, LINE_BYTES, REGISTER_BYTES = 1, 4, 2, 4
# Parts of a batch that are worked off one after the other, at least: so that progress
# shows, and an interrupt loses little.
LEAST_PARTS = 16
LEAST_SAMPLES = 16


def result_bytes(graph, n_steps, *, bin_steps=1, sample_every=1):
    """
    Estimate what the results of one sample take.

    Parameters
    ----------
    graph : QuantizedGraph
    n_steps : int
        Time steps of the chip.
    bin_steps, sample_every : int
        See `nengo_hybrid.emulate.run`.

    Returns
    -------
    int
        Bytes.
    """
    n_bins, n_rows = -(-n_steps // bin_steps), n_steps // sample_every
    spike_bytes = SPIKE_BYTES if bin_steps == 1 else SUM_BYTES
    per_bin = graph.n_compartments * spike_bytes + len(graph.blocks) * SUM_BYTES
    per_bin += graph.n_lines * (LINE_BYTES if bin_steps == 1 else SUM_BYTES)
    probed = {"spiked": 0, "voltage": 0, "current": 0}
    for probe in graph.probes:
        probed[probe.variable] += sum(len(neurons) for _, neurons in probe.parts)
    # What is probed is there twice: for all probes together, and for each.
    per_bin += probed["spiked"] * spike_bytes
    per_row = 2 * (probed["voltage"] + probed["current"]) * REGISTER_BYTES
    return n_bins * per_bin + n_rows * per_row


def working_bytes(graph, n_steps):
    """Estimate what one sample takes while it runs: lines, twice, and registers."""
    lines = 3 * n_steps * graph.n_lines * LINE_BYTES
    return lines + 4 * graph.n_compartments * REGISTER_BYTES


def free_bytes():
    """Return the bytes of memory that this machine can give without swapping."""
    return psutil.virtual_memory().available


def check_memory(graph, n_samples, n_steps, memory_bytes=None, **bins):
    """
    Check that the results of a batch fit into memory.

    Returns
    -------
    int
        Bytes that stay free for the work.

    Raises
    ------
    EmulateError
        If they do not; the message has the largest batch that does.
    """
    free = free_bytes() if memory_bytes is None else memory_bytes
    results = result_bytes(graph, n_steps, **bins)
    working = working_bytes(graph, n_steps)
    needed = n_samples * results + working
    if needed <= free:
        return free - n_samples * results
    fits = max(0, (free - working) // max(results, 1))
    raise EmulateError(
        f"{n_samples} samples of {n_steps} steps need {needed:,} bytes of memory, of "
        f"which {free:,} are free; a batch of {fits} fits. Run fewer samples at once, "
        "or keep less of each: bin_steps sums up spikes, sample_every thins out "
        "voltages and currents"
    )


def samples_at_once(graph, n_samples, n_steps, free):
    """Return how many samples to work on at once, so that they fit into memory."""
    if graph.learns:
        return 1
    fits = max(1, free // working_bytes(graph, n_steps))
    return int(min(n_samples, fits, max(LEAST_SAMPLES, -(-n_samples // LEAST_PARTS))))
