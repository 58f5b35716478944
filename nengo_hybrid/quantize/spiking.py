"""The integers of integrate-and-fire neurons: scales, decays and thresholds."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.quantize.calibration import safe
from nengo_hybrid.quantize.rounding import unit_bits


@dataclass(frozen=True)
class SpikingIntegers:
    """
    What integrate-and-fire neurons compute with.

    Attributes
    ----------
    scale : (n,) array
        Units of the state that is added to, per unit of what comes in.
    parameters, registers : dict of str to (n,) array
        By the names of the programs; more than each of them has.
    """

    scale: np.ndarray
    parameters: dict
    registers: dict


def spiking_integers(population, drives, limit, *, peaks, state_range, widths, dt):
    """
    Choose the integers of a population with `Dynamics`.

    Voltages are counted from their reset, and decays rounded first, so that what comes
    in has the effect in the end that it has in floats. A unit of voltage is a power of
    two of the state's, the largest for which weights fit, times as many more as leave
    the states room, so that what decays is not lost in rounding.

    Parameters
    ----------
    population : Population
    drives : list of (n, n_pre) array
        What a payload of 1 of each projection adds to what comes in.
    limit : int
        Largest stored weight.
    peaks : (2, n) array
        Largest sizes of voltages and of currents on the calibration data.
    state_range : float
        Largest state that is planned for.
    widths : Widths
    dt : float

    Returns
    -------
    SpikingIntegers
    """
    d, n, one = population.dynamics, population.n_neurons, 2**widths.factor
    decay_v = np.zeros(n) if d.tau_mem is None else _decay(dt / d.tau_mem, one)
    decay_u = np.full(n, one) if d.tau_syn is None else _decay(dt / d.tau_syn, one)
    # What a unit of current adds to a voltage in a step, and a unit of input.
    per_current = d.resistance * (dt if d.tau_mem is None else decay_v / one)
    into = 1.0 if d.tau_syn is None else d.w_in * decay_u / one
    zero = np.zeros(n) if d.reset is None else d.reset
    leak = np.zeros(n) if d.tau_mem is None else (d.leak - zero) * decay_v / one
    bias = np.zeros(n) if population.bias is None else population.bias
    # A constant that comes in through a current that decays: what it is in the end,
    # from the start, and a current that takes away what is too much.
    constant = per_current * bias * (1.0 if d.tau_syn is None else d.w_in)
    row = np.max([np.zeros(n), *(np.abs(w).max(axis=1, initial=0) for w in drives)], 0)
    sizes = [
        peaks[0] + np.abs(zero),
        np.abs(d.threshold - zero),
        np.abs(per_current) * peaks[1],
        np.abs(constant) + np.abs(leak),
    ]
    unit = 2 ** unit_bits(
        limit / safe(row * np.abs(per_current * into)),
        state_range / safe(np.max(sizes, axis=0)),
    )
    lowest = np.full(n, 1.0 - widths.state_limit)
    minimum = lowest if d.minimum is None else (d.minimum - zero) * unit
    start = _start(population, zero)
    held = np.zeros(n) if d.tau_syn is None else -constant
    parameters = {
        "bias": (constant + leak) * unit,
        "threshold": (d.threshold - zero) * unit,
        "minimum": np.maximum(minimum, lowest),
        "decay_u": decay_u - 1,
        "decay_v": decay_v,
        "refractory": np.zeros(n) if d.refractory is None else d.refractory,
    }
    registers = {
        "v": np.rint((start - zero) * unit).astype(np.int32),
        "u": np.rint(held * unit).astype(np.int32),
        "wait": np.zeros(n, np.int32),
    }
    return SpikingIntegers(per_current * into * unit, parameters, registers)


def _decay(part, one):
    """Return how many of ``one`` a decaying value loses in a step; at least 1."""
    return np.clip(np.rint(part * one), 1, one)


def _start(population, zero):
    """Return the voltages that neurons start from."""
    dynamics = population.dynamics
    if population.initial_voltage is not None:
        return population.initial_voltage
    return np.zeros_like(zero) if dynamics.tau_mem is None else dynamics.leak
