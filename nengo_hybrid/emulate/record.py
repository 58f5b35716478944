"""What is kept of a run, and what probes read of it."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.emulate.state import N_FAULTS

# What is noted of an overflow: how often; of the first, its step, compartment, value.
TIMES, STEP, COMPARTMENT, VALUE = range(4)
N_NOTES = 4
RECORDED = {"spiked": "spikes", "voltage": "voltage", "current": "current"}


class Record(NamedTuple):
    """
    What is kept of a run; the first axis of each array is the sample.

    Attributes
    ----------
    bin_steps : int
        Steps that are summed in one row of spikes and active updates.
    spikes : (n_samples, n_bins, n_compartments) array
        Or of those that are probed, (n_samples, n_bins, n_probed).
    column : (n_slots,) int32 array
        Where in spikes the compartment of each slot stands, or -1.
    sums : (n_samples, n_slots) int32 array
        Spikes over all steps, if spikes are of those that are probed; or no columns.
    active : (n_samples, n_bins, n_blocks) int32 array
        Compartments with a current, a voltage or a spike after a step.
    every : int
        Steps from one row of voltages and currents to the next.
    voltage_of, current_of : (n_probed,) int64 array
        Compartments that are read.
    voltage, current : (n_samples, n_rows, n_probed) int32 array
    faults : (n_samples, n_blocks, 3, 4) int64 array
        Overflows, by register; see `TIMES`. Compartments count over all blocks.
    n_done : (n_samples,) int64 array
        Steps that were run before.
    """

    bin_steps: int
    spikes: np.ndarray
    column: np.ndarray
    sums: np.ndarray
    active: np.ndarray
    every: int
    voltage_of: np.ndarray
    current_of: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    faults: np.ndarray
    n_done: np.ndarray


class Recorder:
    """
    Make room for what a graph's runs leave, and find in it what its probes read.

    Parameters
    ----------
    graph : QuantizedGraph
    program : Program
    """

    def __init__(self, graph, program):
        self.graph, self.slots = graph, program.slots
        self.n_slots = len(program.compartments)
        probed = {variable: _probed(graph, variable) for variable in RECORDED}
        self._probed, everything = probed, np.arange(graph.n_compartments)
        self._columns = {
            False: _find_columns(graph, probed | {"spiked": everything}),
            True: _find_columns(graph, probed),
        }

    def new_record(self, n_samples, n_steps, *, bin_steps, sample_every, only_probed):
        """Make a `Record`; see `Emulator.new_record`."""
        n_bins, n_rows = -(-n_steps // bin_steps), n_steps // sample_every
        kept, n_blocks = np.arange(self.graph.n_compartments), len(self.graph.blocks)
        if only_probed:
            kept = self._probed["spiked"]
        column = np.full(self.n_slots, -1, np.int32)
        column[self.slots[kept]] = np.arange(len(kept))
        kind = np.int8 if bin_steps < 128 else np.int32
        read = self._probed["voltage"], self._probed["current"]
        return Record(
            bin_steps,
            np.zeros((n_samples, n_bins, len(kept)), kind),
            column,
            np.zeros((n_samples, self.n_slots if only_probed else 0), np.int32),
            np.zeros((n_samples, n_bins, n_blocks), np.int32),
            sample_every,
            *read,
            *(np.zeros((n_samples, n_rows, len(of)), np.int32) for of in read),
            np.zeros((n_samples, n_blocks, N_FAULTS, N_NOTES), np.int64),
            np.zeros(n_samples, np.int64),
        )

    def read_probe(self, record, number, samples=slice(None), rows=slice(None)):
        """Return what one probe of the graph read, (n_samples, n_rows, n_probed)."""
        values = getattr(record, RECORDED[self.graph.probes[number].variable])
        only_probed = record.sums.shape[1] > 0
        # In two steps: one would move the axis of a list of columns to the front.
        return values[samples, rows][..., self._columns[only_probed][number]]


def _find_columns(graph, recorded):
    """Find what each probe reads among the compartments that are recorded."""
    return [
        _positions(recorded[probe.variable], _compartments(graph, probe))
        for probe in graph.probes
    ]


def _compartments(graph, probe):
    """Return the compartments that a probe reads, counting over all blocks."""
    starts = graph.block_starts
    return np.concatenate([starts[b] + neurons for b, neurons in probe.parts])


def _positions(recorded, wanted):
    """Find values among sorted ones; as a slice, which copies nothing, if it can be."""
    found = np.searchsorted(recorded, wanted)
    in_a_row = len(found) > 0 and (np.diff(found) == 1).all()
    return slice(found[0], found[-1] + 1) if in_a_row else found


def _probed(graph, variable):
    """Return the compartments of which any probe reads a variable, in order."""
    found = [_compartments(graph, p) for p in graph.probes if p.variable == variable]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
