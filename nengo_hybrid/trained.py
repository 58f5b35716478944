"""What training made: `Trained`."""

from dataclasses import dataclass, field

import nengo


@dataclass(frozen=True)
class Trained:
    """
    A trained network and how it came about.

    Attributes
    ----------
    network : nengo.Network
        A copy of the network with the trained values in it.
    parameters : dict of str to array
        The values, as `nengo_hybrid.parameters.with_parameters` takes them.
    history : dict of str to list
        Per epoch: "epoch", "loss", "val_loss", "val_accuracy", and
        "omega.<ensemble>"; of the whole training, also where it was resumed.
    best_epoch : int
        The epoch whose parameters these are: best on the validation part among
        those with the final omega.
    seed : int
    dt : float
        Time step of the network.
    readout_steps : int
        How many of the last steps the answer is read from.
    """

    network: nengo.Network = field(repr=False)
    parameters: dict = field(repr=False)
    history: dict = field(repr=False)
    best_epoch: int
    seed: int
    dt: float
    readout_steps: int

    def about(self):
        """Return what a report needs to know of the training, as plain values."""
        return {
            "seed": self.seed,
            "readout_steps": self.readout_steps,
            "best_epoch": self.best_epoch,
            "history": self.history,
        }
