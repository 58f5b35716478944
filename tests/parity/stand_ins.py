"""Our simulator and our emulator, with the names that NengoLoihi's tests ask for."""

import types

import numpy as np

from nengo_hybrid import LoihiSimulator
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.lower import read_chip

# How NengoLoihi calls the way a run goes: what is computed ahead, and what runs beside
# the chip.
WAYS = {
    (True, True, True): "precomputed_host_pre_and_host",
    (True, True, False): "precomputed_host_pre_only",
    (True, False, True): "precomputed_host_only",
    (False, False, True): "bidirectional_with_host",
    (True, False, False): "only",
    (False, False, False): "only",
}


class StandInSimulator(LoihiSimulator):
    """Our simulator, with two attributes of theirs that their tests look into."""

    @property
    def sims(self):
        """Everything that runs, by name."""
        (host,) = self._hosts
        found = {"host_pre": host.before, "host": host.beside, "emulator": self}
        return {name: sim for name, sim in found.items() if sim is not None}

    @property
    def _runner(self):
        """Name the way in which we run as NengoLoihi does."""
        way = self.precompute, "host_pre" in self.sims, "host" in self.sims

        def run_steps(simulator, steps):
            simulator.run_steps(steps)

        run_steps.__name__ = f"emu_{WAYS[way]}"
        return types.SimpleNamespace(run_steps=types.MethodType(run_steps, self))


class StandInEmulator:
    """
    Our emulator in the place of ``nengo_loihi.emulator.EmulatorInterface``.

    For chip models that a test made by hand; their inputs have all their spikes.
    """

    def __init__(self, model, seed=None):
        self.model = model
        self.graph = read_chip(model)
        self.emulator = Emulator(self.graph, seed=seed, on_overflow="raise")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.emulator = None

    def run_steps(self, n_steps):
        lines = np.zeros((1, n_steps, self.graph.n_lines), np.int16)
        first = 0
        for spike_input in self.model.inputs:
            for step in spike_input.spike_times():
                if step <= n_steps:
                    spiking = first + np.asarray(spike_input.spike_idxs(step), int)
                    lines[0, step - 1, spiking] = 1
            first += spike_input.n_neurons
        self.recorded = self.emulator.run(lines)

    def collect_probe_output(self, probe):
        assert probe.synapse is None
        number = list(self.model.probes).index(probe)
        values = self.recorded.probes[number][0]
        sizes = [len(neurons) for _, neurons in self.graph.probes[number].parts]
        parts = np.split(values, np.cumsum(sizes)[:-1], axis=1)
        return probe.weight_outputs(parts)
