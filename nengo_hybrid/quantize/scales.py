"""How many units of a neuron's state make one of what it stands for."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.graphs import PROGRAMS, GradedPopulation, Widths
from nengo_hybrid.quantize.calibration import Ranges, input_unit, safe
from nengo_hybrid.quantize.rounding import unit_bits
from nengo_hybrid.quantize.spiking import spiking_integers
from nengo_hybrid.quantize.turns import shears

# What was largest on the calibration data may become twice as large elsewhere.
MARGIN = 2
# Fractional bits of a quantizer: of a rotor's, and the most of any.
ROTOR_SHIFT, MOST_SHIFT = 12, 16


@dataclass(frozen=True)
class Scaling:
    """
    The scales of a network's populations.

    Attributes
    ----------
    dt : float
        Of the network in floats.
    ranges : Ranges
        What was largest on the calibration data.
    widths : Widths
    input_bits, message_bits, payload_bits : int
        As in `quantize`.
    """

    dt: float
    ranges: Ranges
    widths: Widths
    input_bits: int
    message_bits: int
    payload_bits: int

    @property
    def state_range(self):
        """The largest state that is planned for."""
        return self.widths.state_limit / MARGIN

    def unit(self, planned):
        """Return what a payload of 1 stands for, (n,); 1 for sums, heard by nobody."""
        if planned.program == "input":
            unit = input_unit(self.ranges.inputs, 2 ** (self.input_bits - 1) - 1)
            return np.full(planned.population.n_neurons, unit)
        if planned.program == "sum":
            return np.ones(planned.population.n_neurons)
        if planned.population.dynamics is not None:
            amplitude = planned.population.amplitude
            return np.full(planned.population.n_neurons, float(amplitude))
        if planned.program == "leaky":
            scale, shift = self._leaky_scale(planned)
            return 2**shift / scale
        omega, _ = self._omega(planned)
        unit = planned.population.amplitude / omega
        if planned.program == "rotor":
            wanted, gain, shift = self._rotor_gain(planned)
            unit = unit * wanted * 2**shift / gain
        return unit

    def scaled(self, planned, drives, limit):
        """
        Choose a population's integers.

        Parameters
        ----------
        planned : Plan
        drives : list of (n, n_pre) array
            What a payload of 1 adds, in floats.
        limit : int
            Largest stored weight.

        Returns
        -------
        GradedPopulation
        (n,) array
            Units of its state per unit of what it adds up.
        """
        make = {
            "input": self._input,
            "sum": self._sum,
            "quantizer": self._quantizer,
            "relu quantizer": self._quantizer,
            "rotor": self._rotor,
            "leaky": self._leaky,
        }
        chosen = make.get(planned.program, self._spiking)
        unit, scale, parameters, registers = chosen(planned, drives, limit)
        made = GradedPopulation(
            name=planned.name,
            n_neurons=planned.population.n_neurons,
            program=planned.program,
            parameters={name: _whole(values) for name, values in parameters.items()},
            initial_state=registers,
            payload_bits=self.payload_bits,
            unit=unit,
        )
        return made, scale

    def _omega(self, planned):
        """Return counts per unit of activity, and the largest count, each (n,)."""
        population, largest = planned.population, self.ranges.largest[planned.name]
        if population.is_hybrid:
            return np.full(population.n_neurons, population.omega * self.dt), largest
        # With what a quantizer keeps that is a power of 2.
        most = 2 ** (self.message_bits - 1) / MARGIN - 1
        return most / safe(largest), np.full(population.n_neurons, most)

    def _input(self, planned, drives, limit):
        unit = self.unit(planned)
        return unit, unit, {}, {}

    def _sum(self, planned, drives, limit):
        """Take one power of two for all neurons, so that sums compare."""
        most = max((np.abs(w).max(initial=0) for w in drives), default=0)
        payload = 2 ** (self.payload_bits - 1) / MARGIN
        room = min(
            limit / safe(most),
            payload / safe(self.ranges.largest[planned.name].max()),
        )
        scale = np.full(planned.population.n_neurons, 2.0 ** np.floor(np.log2(room)))
        return 1 / scale, scale, {"bias": _bias(planned) * scale}, {}

    def _quantizer(self, planned, drives, limit):
        """Take the largest shift for which weights and counts fit."""
        omega, most = self._omega(planned)
        rows = [np.abs(w).max(axis=1, initial=0) for w in drives]
        row = np.max([np.zeros(len(omega)), *rows], axis=0) * omega
        shift = unit_bits(limit / safe(row), self.state_range / (most + 1))
        shift = np.maximum(shift - max(0, shift.max(initial=0) - MOST_SHIFT), 0)
        scale = omega * 2**shift
        parameters = {"bias": _bias(planned) * scale, "shift": shift}
        return self.unit(planned), scale, parameters, {"v": _voltage(planned, shift)}

    def _spiking(self, planned, drives, limit):
        found = spiking_integers(
            planned.population,
            drives,
            limit,
            peaks=self.ranges.states[planned.name],
            state_range=self.state_range,
            widths=self.widths,
            dt=self.dt,
        )
        names = PROGRAMS[planned.program]
        return (
            self.unit(planned),
            found.scale,
            {name: found.parameters[name] for name in names.parameters},
            {name: found.registers[name] for name in names.registers},
        )

    def _leaky(self, planned, drives, limit):
        scale, shift = self._leaky_scale(planned)
        parameters = {
            "bias": _bias(planned) * scale,
            "decay_v": 2**self.widths.factor * (1 - planned.kept),
            "shift": shift,
        }
        start = np.zeros(planned.population.n_neurons, np.int32)
        return self.unit(planned), scale, parameters, {"v": start}

    def _leaky_scale(self, planned):
        """Return units of a leaky state per unit, powers of 2, and its shift."""
        largest = safe(self.ranges.largest[planned.name])
        if planned.population.activation == "linear" and planned.is_output:
            # Of one scale, so that they compare.
            largest = np.full(len(largest), largest.max())
        scale = 2 ** np.floor(np.log2(self.state_range / largest))
        payload = 2 ** (self.message_bits - 1) / MARGIN
        return scale, np.maximum(0, np.ceil(np.log2(scale * largest / payload)))

    def _rotor(self, planned, drives, limit):
        """Let the largest values of a pair take the bits of its state."""
        n = planned.population.n_neurons
        _, gain, gain_shift = self._rotor_gain(planned)
        turns = np.zeros((3, n), int)
        for i, angle in enumerate(planned.turns):
            pair = shears(angle, self.widths.factor)
            turns[:, 2 * i] = turns[:, 2 * i + 1] = pair
        shift = self._rotor_shift(planned)
        parameters = {
            "quarter": turns[0],
            "tangent": turns[1],
            "sine": turns[2],
            "gain": gain,
            "gain_shift": gain_shift,
            "shift": shift,
        }
        registers = {"m": np.zeros(n, np.int32), "v": _voltage(planned, shift)}
        return self.unit(planned), self._rotor_scale(planned), parameters, registers

    def _rotor_scale(self, planned):
        """Return units of a rotor's state per unit of the memory, alike in a pair."""
        n = planned.population.n_neurons
        square = np.zeros(n + n % 2)
        square[:n] = self.ranges.largest[planned.state.name] ** 2
        norm = np.sqrt(square.reshape(-1, 2).sum(axis=1))
        return np.repeat(self.state_range / safe(norm), 2)[:n]

    def _rotor_shift(self, planned):
        _, most = self._omega(planned)
        room = self.state_range / (most + 1)
        return np.clip(np.floor(np.log2(room)), 0, ROTOR_SHIFT)

    def _rotor_gain(self, planned):
        """Return the gain that is wanted, and its integer and shift, each (n,)."""
        omega, _ = self._omega(planned)
        per_state = planned.gain * omega / self._rotor_scale(planned)
        wanted = per_state * 2 ** self._rotor_shift(planned)
        bits = self.widths.factor
        shift = np.maximum(bits - 1 - np.floor(np.log2(wanted)), 0)
        return wanted, np.minimum(np.rint(wanted * 2**shift), 2**bits - 1), shift


def _bias(planned):
    bias = planned.population.bias
    return np.zeros(planned.population.n_neurons) if bias is None else bias


def _voltage(planned, shift):
    """Return where a quantizer starts; half a threshold, if the network is silent."""
    start = planned.population.initial_voltage
    return np.floor((0.5 if start is None else start) * 2**shift).astype(np.int32)


def _whole(values):
    return np.rint(values).astype(np.int32)
