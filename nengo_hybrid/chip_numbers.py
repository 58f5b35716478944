"""What the chip part of a graph computes with, rounded or not: `ChipNumbers`."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ChipNumbers:
    """
    The parameters of a `QuantizedGraph` in floats, in the units of its registers.

    Before rounding they are what the target's integers stand for; the integers
    themselves are the same type, so that one group of them takes the place of another.

    Attributes
    ----------
    weights : tuple of tuple of tuple of (n_atoms, n_targets) array
        By block, group of synapses, and row, as in `SynapseGroup.weights`.
    input_gain : (n_compartments,) array
        Factor of the weights that arrive: 1 for the integers, whose rounded decay
        lets a part of each current act once more in the next step. Floats, in which
        nothing is left, have a little more.
    keep_u, keep_v : (n_compartments,) array
        Part of a current and of a voltage that is left after a step.
    vth, bias, vmin, vmax : (n_compartments,) array
    truncates : bool
        Whether what is left of a current and a voltage is a whole number.
    resets_to_zero : bool
        Whether a spike takes all of the voltage, or a threshold of it.
    """

    weights: tuple
    input_gain: np.ndarray
    keep_u: np.ndarray
    keep_v: np.ndarray
    vth: np.ndarray
    bias: np.ndarray
    vmin: np.ndarray
    vmax: np.ndarray
    truncates: bool = False
    resets_to_zero: bool = True


def join_numbers(parts):
    """Put the numbers of blocks, in their order, into one."""
    parts = list(parts)
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, kind in ChipNumbers.__annotations__.items()
        if kind is np.ndarray
    }
    return ChipNumbers(weights=sum((p.weights for p in parts), ()), **arrays)
