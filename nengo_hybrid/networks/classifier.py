"""A classifier of sequences: Legendre memory, hidden layer, one neuron per class."""

import math

import nengo
import numpy as np

from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.networks.lmu import LMU
from nengo_hybrid.networks.memory import memory_std, rotations
from nengo_hybrid.neurons import HybridSpiking, Identity


class SequenceClassifier(nengo.Network):
    """
    Classify sequences by the hidden activity on a Legendre memory.

    The memory's read-out, the hidden layer and the output are hybrid-spiking, and on
    demand what enters the memory and what it sends itself. The answer is the output
    neuron of most activity.

    Parameters
    ----------
    x_train : (n_samples, n_steps, size_in) array
        Sequences from which the spread of each memory coefficient is taken, so
        that the read-out's bits are spent alike.
    n_classes : int
    order : int
        Legendre coefficients per input dimension.
    theta_steps : float
        Window of the memory, in steps.
    n_hidden : int
    omega_readout, omega_hidden, omega_output : float or None
        Quantization of each message; see `HybridSpiking`. With None it is not
        quantized; the output is then a sum of what the hidden layer sends and a bias.
    omega_input : float or None
        The same of what enters the memory; with None it is not quantized.
    quantize_loop : bool
        Whether the memory sends itself what is read out, quantized with
        ``omega_readout``; else its state is exact.
    omega_hub : float or None
        The same of the hubs, in the basis of rotations; relative to the standard
        deviation of what they send.
    basis : str
        Of the memory, "legendre" or "rotations"; see `LMU`.
    readout_spread : float
        Standard deviation of the scaled coefficients.
    readout_steps : int
        How many of the last steps the answer, and the spread, are taken from.
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
    lmu : LMU
    output : nengo.Ensemble
    probe : nengo.Probe

    Raises
    ------
    ShapeError
        If the sequences have fewer than ``readout_steps`` steps.
    """

    def __init__(
        self,
        x_train,
        n_classes,
        *,
        order,
        theta_steps,
        n_hidden,
        omega_readout=4.0,
        omega_hidden=2.0,
        omega_output=1.0,
        omega_input=None,
        quantize_loop=False,
        omega_hub=None,
        basis="legendre",
        readout_spread=0.5,
        readout_steps=1,
        label="classifier",
        seed=None,
        add_to_container=None,
    ):
        n_steps = x_train.shape[1]
        if not 1 <= readout_steps <= n_steps:
            raise ShapeError(
                f"readout_steps needs 1 to {n_steps}, the steps of the training "
                f"sequences, got {readout_steps!r}"
            )
        window = {"last_steps": readout_steps, "basis": basis}
        spread = memory_std(order, theta_steps, x_train, **window)
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        relu = nengo.RectifiedLinear()
        # The read-out is there in any case, since it scales the coefficients.
        place = "loop" if quantize_loop else "readout"
        quantizer = {place: _sending(Identity(), omega_readout)}
        for name, omega in (("input", omega_input), ("hub", omega_hub)):
            if omega is not None:
                quantizer[name] = _sending(Identity(), omega)
        hub_scale = 1.0
        if omega_hub is not None and basis == "rotations":
            gather = rotations(order, theta_steps).gather
            hub_scale = 1 / memory_std(
                order, theta_steps, x_train, decoder=gather, **window
            )
        with self:
            self.input = nengo.Node(np.zeros(x_train.shape[2]), label="x")
            self.lmu = LMU(
                order,
                theta_steps,
                size_in=x_train.shape[2],
                n_hidden=n_hidden,
                hidden_type=_sending(relu, omega_hidden),
                quantizer=quantizer,
                readout_scale=readout_spread / np.where(spread > 0, spread, 1.0),
                basis=basis,
                hub_scale=hub_scale,
            )
            exact = omega_output is None
            # A rectified neuron that nothing drives at first would never be trained.
            bias = 0.0 if exact else 1.0
            self.output = nengo.Ensemble(
                n_classes,
                1,
                neuron_type=_sending(Identity() if exact else relu, omega_output),
                gain=np.ones(n_classes),
                bias=np.full(n_classes, bias),
                label="output",
            )
            nengo.Connection(self.input, self.lmu.input, synapse=None, label="x_to_lmu")
            limit = math.sqrt(6 / (n_hidden + n_classes))
            nengo.Connection(
                self.lmu.hidden,
                self.output.neurons,
                transform=nengo.dists.Uniform(-limit, limit),
                synapse=None,
                label="hidden_to_output",
            )
            self.probe = nengo.Probe(self.output.neurons, label="answer")


def _sending(rate_type, omega):
    """Return a neuron type that sends counts, or its rate if omega is None."""
    return rate_type if omega is None else HybridSpiking(rate_type, omega=omega)
