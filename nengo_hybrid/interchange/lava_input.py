"""What turns values into the spikes that a Lava-DL network takes."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import InterchangeError, ShapeError
from nengo_hybrid.interchange.hdf5 import told_with_path
from nengo_hybrid.interchange.lava import (
    SHIFT,
    UNITY,
    WHAT,
    read_layers,
    read_neurons,
    single,
)


@dataclass(frozen=True)
class LavaInput:
    """
    The input layer of a file: CUBA-LIF neurons that are driven by their biases.

    Attributes
    ----------
    shape : tuple of int
        Of the input; channels first.
    weight, bias : int
        A value x is a bias of ``weight * x + bias``, truncated.
    decay_v, vth : (n_neurons,) int array
    """

    shape: tuple
    weight: int
    bias: int
    decay_v: np.ndarray
    vth: np.ndarray

    def spikes(self, x, n_steps):
        """
        Turn values into spikes, in the chip's integers.

        Parameters
        ----------
        x : (n_samples, n_neurons) array
        n_steps : int

        Returns
        -------
        (n_samples, n_steps, n_neurons) int8 array

        Raises
        ------
        ShapeError
            If ``x`` does not have a value for each neuron.
        """
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != len(self.vth):
            raise ShapeError(
                f"the input layer needs x of shape (n_samples, {len(self.vth)}), got "
                f"{x.shape}"
            )
        drive = np.trunc(self.weight * x + self.bias).astype(np.int64) << SHIFT
        voltage, keep = np.zeros_like(drive), UNITY - self.decay_v
        spikes = np.zeros((len(x), n_steps, x.shape[1]), np.int8)
        for step in range(n_steps):
            voltage = np.sign(voltage) * (np.abs(voltage) * keep // UNITY) + drive
            spikes[:, step] = voltage > self.vth
            voltage[spikes[:, step] > 0] = 0
        return spikes


def load_lava_input(path):
    """
    Load the input layer of a file of Lava-DL, if it has neurons.

    Parameters
    ----------
    path : path-like
        A ``.net`` file, as lava-dl exports it.

    Returns
    -------
    LavaInput

    Raises
    ------
    InterchangeError
        As in `load_lava`; or if the file's first layer is not an input with neurons.
    """
    with told_with_path(path, WHAT):
        layer = read_layers(path)[0]
        if layer["type"] != "input" or "neuron" not in layer:
            raise InterchangeError(
                f"{layer['who']} is no input layer with neurons; the network takes "
                "spikes: see integrate_and_fire"
            )
        shape, who = layer["shape"], layer["who"]
        neurons = read_neurons(layer, np.prod(shape), shape)
        # lava-dl's defaults where a file has none.
        given = {"weight": layer.get("weight", 64), "bias": layer.get("bias", 0)}
        plain = {name: int(single(v, who, name)) for name, v in given.items()}
    return LavaInput(shape, **plain, decay_v=neurons.decay_v, vth=neurons.vth << SHIFT)


def integrate_and_fire(x, n_steps, *, threshold=1.0):
    """
    Turn values into spikes by neurons without a leak, one for each value.

    A neuron adds its value in each step, spikes if the sum is above the threshold, and
    starts again at 0.

    Parameters
    ----------
    x : (n_samples, n_neurons) array
    n_steps : int
    threshold : float

    Returns
    -------
    (n_samples, n_steps, n_neurons) int8 array

    Examples
    --------
    >>> integrate_and_fire(np.array([[0.6, 0.0, 1.0]]), 4)[0].tolist()
    [[0, 0, 0], [1, 0, 1], [0, 0, 0], [1, 0, 1]]
    """
    x = np.asarray(x, dtype=float)
    voltage = np.zeros_like(x)
    spikes = np.zeros((len(x), n_steps, x.shape[1]), np.int8)
    for step in range(n_steps):
        voltage += x
        spikes[:, step] = voltage > threshold
        voltage[spikes[:, step] > 0] = 0
    return spikes
