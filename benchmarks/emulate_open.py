"""
Compare emulators on networks whose inputs are known beforehand.

A sample is one pattern of input spikes, run from rest; what is timed ends with the
spikes that the network's probe read, and they have to be the same bit for bit. Ours
also counts the spikes of all others.
"""

import numpy as np
from measure import alternate, ratios, seconds, spread, timed
from networks import (
    add_spikes,
    build,
    convnet,
    dense,
    image_spikes,
    random_spikes,
    recurrent,
    recurrent_sparse,
)

# isort: split
from nengo_loihi.emulator import EmulatorInterface

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.lower import read_chip

# What NengoLoihi's examples give a pixel, divided by the 100 Hz of our convnet.
RAW_PIXELS_HZ = 25_500
# Ours is run again until it took so long: a batch takes 10 ms, in which a processor
# that had nothing to do has hardly woken up.
SHORTEST_S = 0.2


def open_cases():
    """Return, by name, how to make each network and how to draw spikes for it."""
    cases = {
        f"convnet-{name}": (convnet, _images(rate))
        for name, rate in [("100hz", 100), ("1000hz", 1000), ("raw", RAW_PIXELS_HZ)]
    }
    for percent in (5, 20):
        share = percent / 100
        cases[f"dense-{percent}"] = lambda a=share: dense(a), _noise(share)
    cases["recurrent"] = recurrent, _noise(0.05)
    cases["recurrent-sparse"] = recurrent_sparse, _noise(0.05)
    return cases


def _images(max_rate_hz):
    return lambda n, n_steps, n_lines: image_spikes(n, n_steps, max_rate_hz=max_rate_hz)


def _noise(activity):
    return lambda n, n_steps, n_lines: random_spikes(
        n, n_steps, n_lines, activity=activity
    )


def compare_open(make, draw, scale):
    """
    Compare NengoLoihi's emulator with ours, one sample at a time and many.

    Parameters
    ----------
    make : callable
        Returns a network.
    draw : callable
        From samples, steps and lines to spikes.
    scale : Scale

    Returns
    -------
    dict
        Times in seconds per step of one sample; every ratio is theirs to ours.
    """
    model, build_s = timed(build, make())
    graph, read_s = timed(read_chip, model)
    one, emulator_s = timed(Emulator, graph, 1, seed=0, n_threads=1)
    many = Emulator(graph, scale.n_samples, seed=0)
    spikes = draw(scale.n_samples, scale.n_steps, graph.n_lines)
    runs = Runs(model, one, many, spikes)
    runs.warm_up()
    times = alternate(
        {"theirs": runs.theirs, "batch_1": runs.batch_1, "batch_many": runs.batch_many},
        scale.n_repetitions,
    )
    runs.check(scale.n_repetitions)
    return {
        "n_neurons": graph.n_compartments,
        "n_synapses_stored": int(one.program.weights.size),
        "n_samples": scale.n_samples,
        "n_steps": scale.n_steps,
        **runs.count(graph),
        "seconds_per_step": {name: spread(found) for name, found in times.items()},
        "times_faster_batch_1": ratios(times["theirs"], times["batch_1"]),
        "times_faster_batch_many": ratios(times["theirs"], times["batch_many"]),
        "build_s": build_s,
        "read_chip_s": read_s,
        "emulator_s": emulator_s,
    }


class Runs:
    """
    The runs that are compared; repetition ``r`` is about sample ``r``.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    one, many : Emulator
    spikes : (n_samples, n_steps, n_lines) bool array
    """

    def __init__(self, model, one, many, spikes):
        self.model, self.one, self.many = model, one, many
        self.spikes, self.lines = spikes, spikes.astype(np.int16)
        self.outputs = {"theirs": {}, "batch_1": {}}
        self.last = self.sums = None

    def warm_up(self):
        """Let everything be compiled and loaded before it is timed."""
        few = self.lines[:, :2]
        EmulatorInterface(self.model, seed=0).run_steps(2)
        self._run(self.one, few[:1])
        # Twice, as the last one's results are kept: memory that nobody touched before
        # takes longer.
        for _ in range(2):
            self.batch_many(0)

    def theirs(self, repetition):
        """Time a step of NengoLoihi's emulator."""
        sample = repetition % len(self.lines)
        add_spikes(self.model, self.spikes[sample])
        emulator = EmulatorInterface(self.model, seed=0)

        def run():
            emulator.run_steps(self.lines.shape[1])
            probe = next(iter(self.model.probes))
            self.outputs["theirs"][sample] = emulator.collect_probe_output(probe)

        return seconds(run) / self.lines.shape[1]

    def batch_1(self, repetition):
        """Time a step of ours, one sample in one thread."""
        sample = repetition % len(self.lines)

        def run():
            read, _ = self._run(self.one, self.lines[sample : sample + 1])
            self.outputs["batch_1"][sample] = read[0]

        return seconds(run, at_least_s=SHORTEST_S) / self.lines.shape[1]

    def batch_many(self, _):
        """Time a step of ours for each of many samples, in all threads."""

        def run():
            self.last, self.sums = self._run(self.many, self.lines)

        return seconds(run, at_least_s=SHORTEST_S) / self.lines[..., 0].size

    @staticmethod
    def _run(emulator, lines):
        emulator.reset(0)
        record = emulator.new_record(*lines.shape[:2], only_probed=True)
        emulator.advance(lines, record)
        return emulator.read_probe(record, 0), emulator.read_sums(record)

    def check(self, n_repetitions):
        """Check that all gave the same spikes for the samples that all ran."""
        for sample in range(min(n_repetitions, len(self.lines))):
            theirs = self.outputs["theirs"][sample] != 0
            if not theirs.any():
                raise RuntimeError(f"nothing reaches the probe in sample {sample}")
            for ours in (self.outputs["batch_1"][sample], self.last[sample]):
                if not np.array_equal(theirs, ours != 0):
                    raise RuntimeError(f"the emulators disagree about sample {sample}")

    def count(self, graph):
        """Count what happens in a step of a sample, on the average of all."""
        spikes, steps = self.sums.sum(0, dtype=np.int64), self.lines[..., 0].size
        per_line, per_compartment = fan_out(graph)
        operations = self.lines.sum((0, 1)) @ per_line
        operations += spikes @ per_compartment
        return {
            "activity": float(spikes.mean() / steps),
            "spikes_per_step": float(spikes.sum() / steps),
            "input_spikes_per_step": float(self.lines.sum() / steps),
            "synaptic_ops_per_step": float(operations / steps),
        }


def fan_out(graph):
    """Count the stored synapses behind each line, and behind each compartment."""
    lines = [graph.fan_out(i.population) for i in graph.inputs]
    blocks = [graph.fan_out(b.population)[b.neurons] for b in graph.blocks]
    return np.concatenate([np.zeros(0, int), *lines]), np.concatenate(blocks)
