"""Compartment noise, from the random stream that NengoLoihi's emulator draws."""

import numpy as np

from nengo_hybrid.emulate.state import Noise


class NoiseSource:
    """
    Draw what each step adds to currents and voltages; see `nengo_hybrid.graphs.Noise`.

    Parameters
    ----------
    graph : QuantizedGraph

    Attributes
    ----------
    noisy : bool
        Whether any compartment has noise.
    """

    def __init__(self, graph):
        n = graph.n_compartments
        self._factor, self._offset = np.zeros(n), np.zeros(n, np.int32)
        self._at_membrane = np.zeros(n, dtype=bool)
        self.noisy = False
        self._silent = np.zeros((0, n), np.int32)
        for block, start in zip(graph.blocks, graph.block_starts, strict=True):
            if block.noise is not None:
                own = slice(start, start + block.n_compartments)
                enabled, self.noisy = block.noise.enabled, True
                self._factor[own] = np.where(
                    enabled, 2.0 ** (block.noise.exponent - 7), 0
                )
                self._offset[own] = 64 * block.noise.offset
                self._at_membrane[own] = block.noise.at_membrane

    def draw(self, n_steps, rng, *, always=False):
        """
        Draw for some steps.

        Parameters
        ----------
        n_steps : int
        rng : numpy.random.RandomState
        always : bool
            Draw even if no compartment has noise, because others use the stream.

        Returns
        -------
        Noise
        """
        if not self.noisy and not always:
            return Noise(self._silent, self._silent)
        drawn = rng.randint(
            -127, 128, size=(n_steps, len(self._factor)), dtype=np.int32
        )
        if not self.noisy:
            return Noise(self._silent, self._silent)
        noise = ((drawn + self._offset) * self._factor).astype(np.int32)
        return Noise(
            np.where(self._at_membrane, 0, noise).astype(np.int32),
            np.where(self._at_membrane, noise, 0).astype(np.int32),
        )
