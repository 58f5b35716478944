"""The chip beside its hosts: what they send it, and what it gives back."""

import numpy as np
from nengo.exceptions import SimulationError

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.lower import read_chip
from nengo_hybrid.trace import make_trace


class ChipError(EmulateError, SimulationError):
    """What stops a run on the chip; for those who expect Nengo's error, too."""


class Chip:
    """
    The chip's part of a model that NengoLoihi built, for a batch of samples.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    n_samples : int
    **options
        Of the `Emulator`.
    """

    def __init__(self, model, n_samples, **options):
        self.model, self.n_samples = model, n_samples
        self.graph = read_chip(model)
        self.emulator = Emulator(self.graph, n_samples, **options)
        first = np.cumsum([0] + [lines.n_lines for lines in self.graph.inputs])
        places = [slice(*ends) for ends in zip(first, first[1:], strict=False)]
        inputs = dict(zip(model.inputs, places, strict=True))
        self._lines_of = {r: inputs[lines] for r, lines in model.spike_targets.items()}
        self._permanent = [
            (step, place, lines.spikes[step])
            for lines, place in inputs.items()
            for step in sorted(lines.permanent)
        ]
        self._synapses = {
            id(synapse): (b, s)
            for b, block in enumerate(model.blocks)
            for s, synapse in enumerate(block.synapses)
        }
        self._probe_numbers = {probe: i for i, probe in enumerate(model.probes)}
        self._start()

    def _start(self):
        n_blocks = len(self.graph.blocks)
        self._spikes = np.zeros((self.n_samples, self.graph.n_compartments), np.int64)
        self._active = np.zeros((self.n_samples, n_blocks), np.int64)
        self._injected = np.zeros((self.n_samples, self.graph.n_lines), np.int64)

    def reset(self, seed):
        """Go back to rest, with all counts at zero."""
        self.emulator.reset(seed)
        self._start()

    def new_record(self, steps):
        """Make room for some steps of all samples."""
        return self.emulator.new_record(self.n_samples, steps)

    def new_lines(self, steps):
        """Make room for what the hosts send in some steps."""
        return np.zeros((self.n_samples, steps, self.graph.n_lines), np.int16)

    def advance(self, hosts, lines, record, first):
        """
        Run some steps: take what the hosts sent, run, and give them what probes read.

        Parameters
        ----------
        hosts : list of Host
            One per sample.
        lines : (n_samples, n_steps, n_lines) int16 array
            Zeros, to be filled.
        record : Record
        first : int
            Steps that were run before.
        """
        self._take(hosts, lines, first)
        done = int(record.n_done[0])
        try:
            self.emulator.advance(lines, record)
        except EmulateError as error:
            raise ChipError(str(error)) from error
        self._give(hosts, record, first, slice(done, done + lines.shape[1]))

    def _take(self, hosts, lines, first):
        for step, place, spikes in self._permanent:
            if first < step <= first + lines.shape[1]:
                # An event camera may send several events of a pixel in a step.
                at_step = lines[:, step - 1 - first, place]
                np.add.at(at_step, (slice(None), spikes), 1)
        for sample, host in enumerate(hosts):
            for receiver, step, spiked in host.take_spikes():
                lines[sample, step - 1 - first, self._lines_of[receiver]] = spiked
        if self.graph.learns:
            (host,) = hosts
            errors = [(*self._synapses[id(s)], e) for s, e in host.take_errors()]
            self.emulator.set_errors(errors)

    def _give(self, hosts, record, first, rows):
        for probe in hosts[0].receivers:
            for sample, host in enumerate(hosts):
                for k, x in enumerate(self.read(probe, record, sample, rows)):
                    host.receivers[probe].receive(self.model.dt * (first + k + 2), x)

    def read(self, probe, record, sample, rows):
        """Return what a Nengo probe reads of a sample, weighted, (n_rows, size)."""
        reader = self.model.objs[probe]["out"]
        number = self._probe_numbers[reader]
        columns = self.emulator.read_probe(record, number, sample, rows)
        if reader.key == "spiked":
            columns = columns.astype(bool)
        parts = self.graph.probes[number].parts
        if len(parts) == 1:
            # As NengoLoihi's probe does, without its checks, which take their time.
            weights = reader.weights[0]
            return columns if weights is None else columns.dot(weights)
        ends = np.cumsum([len(neurons) for _, neurons in parts])[:-1]
        return reader.weight_outputs(np.split(columns, ends, axis=1))

    def count(self, lines, record, first):
        """
        Add up what was sent and what a record holds, and warn of its overflows.

        Returns
        -------
        int
            Steps that all samples have done.
        """
        done = int(record.n_done.min())
        self._injected += lines[:, :done].sum(axis=1)
        self._spikes += record.spikes[:, :done].sum(axis=1)
        self._active += record.active[:, :done].sum(axis=1)
        self.emulator.warn_of_overflows(record, first)
        return done

    def trace(self, n_steps):
        """Return the counts of all steps so far, in one bin."""
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
            seed=self.emulator.seed,
            n_steps=n_steps,
            bin_steps=max(n_steps, 1),
        )
