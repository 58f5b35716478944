"""What a run is expected to do, where none was made: `Rates`."""

from dataclasses import dataclass, field

import numpy as np

from nengo_hybrid.exceptions import EstimateError, ShapeError


@dataclass(frozen=True)
class Rates:
    """
    The expected activity of an inference, in place of a `Trace`.

    Attributes
    ----------
    n_steps : int
        Time steps of the chip per inference.
    spikes : dict of str to (float or (n_neurons,) array)
        Expected spikes of each neuron per step, by population: of those on the chip,
        and of those that the host injects.
    active : float
        Share of the compartments with a current, a voltage or a spike after a step.
    host_macs, host_updates : int
        Multiply-accumulates and neuron updates of the host per inference.
    ones : dict of str to (n_neurons,) array, optional
        Expected bits set in the payloads of each neuron per step, by population.
    """

    n_steps: int
    spikes: dict = field(repr=False)
    active: float = 1.0
    host_macs: int = 0
    host_updates: int = 0
    ones: dict | None = field(default=None, repr=False)

    def of(self, name, n_neurons):
        """Return the rates of a population's neurons, (n_neurons,) float array."""
        rates = np.asarray(self.spikes[name], dtype=float)
        return np.broadcast_to(rates, (n_neurons,)) if rates.ndim == 0 else rates


def check_rates(rates, sizes, on_chip, target):
    """
    Check that rates can be counted.

    Parameters
    ----------
    rates : Rates
    sizes : dict of str to int
        Neurons of each population that is placed or injected.
    on_chip : set of str
        Those on the chip.
    target : Target

    Raises
    ------
    EstimateError
        If a rate is missing, negative or above what the target can send, or
        ``n_steps`` or ``active`` make no sense.
    ShapeError
        If there are not as many rates as neurons.
    """
    if rates.n_steps < 1:
        raise EstimateError(f"rates are of {rates.n_steps} steps; needed at least 1")
    if not 0 <= rates.active <= 1:
        raise EstimateError(
            f"rates have {rates.active} of the compartments active; needed 0 to 1"
        )
    for name, n_neurons in sorted(sizes.items()):
        if name not in rates.spikes:
            known = ", ".join(sorted(rates.spikes)) or "none"
            raise EstimateError(
                f"population '{name}' is placed but has no rate; there are rates of "
                f"{known}"
            )
        values = rates.of(name, n_neurons)
        # Of those injected, only the ones that are sent from are known.
        too_many = name in on_chip and values.size > n_neurons
        if values.ndim != 1 or values.size < n_neurons or too_many:
            raise ShapeError(
                f"population '{name}' has rates of shape {values.shape}; needed one, "
                f"or one for each of its {n_neurons} neurons"
            )
        _check_range(name, values, name in on_chip, target)


def _check_range(name, values, on_chip, target):
    most = 1 if on_chip else np.inf
    wrong = ~((values >= 0) & (values <= most) & np.isfinite(values))
    if not wrong.any():
        return
    neuron = int(np.argmax(wrong))
    who = f"population '{name}' has a rate of {values[neuron]:g} spikes a step"
    which = f" (neuron {neuron})" if values.size > 1 else ""
    needed = "0 to 1, for a neuron sends at most one" if on_chip else "at least 0"
    place = f"on target '{target.name}'" if on_chip else "for the host to inject"
    raise EstimateError(f"{who}{which}; needed {needed} {place}")
