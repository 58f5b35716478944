"""What a run did: `Trace`."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class PopulationTrace:
    """
    What one population did.

    Attributes
    ----------
    on_chip : bool
        Whether it ran on the chip (or its emulator) or on the host.
    spikes : (n_samples, n_steps, n_neurons) int array
        Spike counts; of either sign for graded and signed spikes.
    updates_active, updates_inactive : (n_samples, n_steps) int array
        Compartments with and without a current, a voltage or a spike after the
        step; both zero for populations on the host.
    """

    on_chip: bool
    spikes: np.ndarray
    updates_active: np.ndarray
    updates_inactive: np.ndarray


@dataclass(frozen=True)
class Trace:
    """
    What a run did, per population and step.

    Attributes
    ----------
    backend : str
        "emulator", "nengo-loihi" or "nxsdk".
    target : str
    target_sha256, graph_sha256 : str
        Digests of what was run, and on what.
    seed : int
        Of the host's initial voltages and of the chip's noise.
    n_samples, n_steps : int
        Samples, and time steps of the chip per sample.
    n_input_steps : int
        Steps of the input per sample; the host computes once for each.
    output : str
        Population whose spikes are the answer.
    populations : dict of str to PopulationTrace
    host_macs_per_step : int
        Multiply-accumulates of the host per step of the input.
    host_updates_per_step : int
        Neuron updates of the host per step of the input.
    """

    backend: str
    target: str
    target_sha256: str
    graph_sha256: str
    seed: int
    n_samples: int
    n_steps: int
    n_input_steps: int
    output: str
    populations: dict = field(repr=False)
    host_macs_per_step: int = 0
    host_updates_per_step: int = 0

    @property
    def output_spikes(self):
        """Spikes of the output population, (n_samples, n_steps, n_outputs)."""
        return self.populations[self.output].spikes
