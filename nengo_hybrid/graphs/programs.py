"""
What neurons of a chip with graded spikes compute: programs in integers, as data.

Loihi 2's instructions, as far as they are published, are ADD, NEG, MIN, AND, OR, SHL,
MUL_SHR, SEL, LT, GE, EQ, SKP, JMP and SPIKE (Intel, *Taking Neuromorphic Computing to
the Next Level with Loihi 2*, 2021); a program is written in these alone. ``a >> n`` is
MUL_SHR by 1: the shift of two's complement, which rounds down. ``decay(x, k)`` is k
times the size of x, shifted so, with the sign of x: rounded toward zero, as the chip's
fixed neurons round; ``one`` is 2 to the bits of a factor. A program acts once in a step
of the network, which may be several time steps of the chip; in the others it skips (EQ,
SKP). What stands behind a condition is skipped where it does not hold.
"""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import TargetError


@dataclass(frozen=True)
class Widths:
    """
    Bits of the integers that a chip's neurons compute with.

    Attributes
    ----------
    state : int
        Of a register, and of what synapses bring, with the sign.
    factor : int
        Of the factors of a product, as the chip's decays have them.
    weight : int
        Of a synapse, with the sign; at most 8.
    """

    state: int
    factor: int
    weight: int

    @classmethod
    def of(cls, target):
        """
        Read them off a target's formats.

        Raises
        ------
        TargetError
            If one of them is not published.
        """
        bits = [_bits(target, f"{n}_bits") for n in ("voltage", "decay", "weight")]
        return cls(*bits)

    @property
    def state_limit(self):
        """The size from which on an integer leaves its register."""
        return 2 ** (self.state - 1)

    @property
    def largest_weight(self):
        return 2 ** (self.weight - 1) - 1


def _bits(target, name):
    bits = target.format(name)
    if bits is None:
        raise TargetError(
            f"target {target.name!r} has null for formats.{name}; programs cannot be "
            "run without it"
        )
    return int(np.max(bits))


@dataclass(frozen=True)
class Program:
    """
    One program.

    Attributes
    ----------
    parameters : tuple of str
        Integers per neuron, kept beside its state.
    registers : tuple of str
        State of a neuron from step to step, of `Widths.state` bits each.
    equations : tuple of str
        What it does in a step, with ``i`` what came over its synapses.
    instructions : tuple of str
        The chip's, in order.
    """

    parameters: tuple
    registers: tuple
    equations: tuple
    instructions: tuple


# A part of a register's value, rounded toward zero: of its size, with its sign again.
_DECAY = ("LT", "NEG", "SEL", "MUL_SHR", "NEG", "SEL")
_SPIKE = ("LT", "SKP", "SPIKE")
_WAIT = ("LT", "SKP", "ADD", "JMP")


def _spiking(has_current, subtracts):
    """Return the program of integrate-and-fire neurons; see `PROGRAMS`."""
    into, current, wait, decay, after = "i", (), (), (), ()
    equations, kept = (), "v"
    parameters, registers = ("bias", "threshold", "minimum"), ("v",)
    if has_current:
        into, kept = "u", "decay(v, one - decay_v)"
        parameters += ("decay_u", "decay_v", "refractory")
        registers += ("u", "wait")
        current, decay, wait = (*_DECAY, "ADD"), _DECAY, _WAIT
        after = ("ADD",)
        equations = (
            "u <- decay(u, one - 1 - decay_u) + i",
            "if wait > 0: wait <- wait - 1, and that is all",
        )
    equations += (
        f"v <- max({kept} + {into} + bias, minimum)",
        "if v > threshold:",
        "send 1",
        "v <- v - threshold" if subtracts else "v <- 0",
    )
    equations += ("wait <- refractory",) * has_current
    reset = ("NEG", "ADD") if subtracts else ("AND",)
    return Program(
        parameters,
        registers,
        equations,
        (*current, *wait, *decay, "ADD", "ADD", "LT", "SEL", *_SPIKE, *reset, *after),
    )


PROGRAMS = {
    "quantizer": Program(
        parameters=("bias", "shift"),
        registers=("v",),
        equations=("v <- v + i + bias", "send k = v >> shift", "v <- v - (k << shift)"),
        instructions=("ADD", "ADD", "MUL_SHR", "SHL", "NEG", "ADD", "SPIKE"),
    ),
    "relu quantizer": Program(
        parameters=("bias", "shift"),
        registers=("v",),
        equations=(
            "v <- v + max(i + bias, 0)",
            "send k = v >> shift",
            "v <- v - (k << shift)",
        ),
        instructions=(
            *("ADD", "LT", "SEL", "ADD", "MUL_SHR", "SHL", "NEG", "ADD", "SPIKE"),
        ),
    ),
    "rotor": Program(
        parameters=("quarter", "tangent", "sine", "gain", "gain_shift", "shift"),
        registers=("m", "v"),
        equations=(
            "(a, b) <- (a, b) turned by as many quarters, with a, b the m of a pair",
            "a <- a - (tangent b >> factor bits)",
            "b <- b + (sine a >> factor bits)",
            "a <- a - (tangent b >> factor bits)",
            "m <- m + i",
            "v <- v + (gain m >> gain_shift)",
            "send k = v >> shift",
            "v <- v - (k << shift)",
        ),
        instructions=(
            *("SEL", "NEG", "SEL"),
            *("MUL_SHR", "NEG", "ADD", "MUL_SHR", "ADD", "MUL_SHR", "NEG", "ADD"),
            *("ADD", "MUL_SHR", "ADD", "MUL_SHR", "SHL", "NEG", "ADD", "SPIKE"),
        ),
    ),
    "sum": Program(
        parameters=("bias",),
        registers=(),
        equations=("send i + bias",),
        instructions=("ADD", "SPIKE"),
    ),
    "cuba lif": _spiking(has_current=True, subtracts=False),
    "cuba lif, subtracting": _spiking(has_current=True, subtracts=True),
    "integrate-and-fire": _spiking(has_current=False, subtracts=False),
    "integrate-and-fire, subtracting": _spiking(has_current=False, subtracts=True),
    "leaky": Program(
        parameters=("bias", "decay_v", "shift"),
        registers=("v",),
        equations=("v <- decay(v, one - decay_v) + i + bias", "send v >> shift"),
        instructions=(*_DECAY, "ADD", "ADD", "MUL_SHR", "SPIKE"),
    ),
    "sigma-delta": Program(
        parameters=("bias", "threshold", "shift"),
        registers=("sigma", "told"),
        equations=(
            "sigma <- sigma + i",
            "a <- max(sigma + bias, 0)",
            "if |a - told| >= threshold:",
            "send (a - told) >> shift",
            "told <- a",
        ),
        instructions=(
            *("ADD", "ADD", "LT", "SEL", "NEG", "ADD", "LT", "NEG", "SEL"),
            *("GE", "SKP", "MUL_SHR", "SPIKE", "OR"),
        ),
    ),
    "delta": Program(
        parameters=("threshold", "shift"),
        registers=("told",),
        equations=(
            "if |i - told| >= threshold:",
            "send (i - told) >> shift",
            "told <- i",
        ),
        instructions=(
            *("NEG", "ADD", "LT", "NEG", "SEL", "GE", "SKP", "MUL_SHR", "SPIKE", "OR"),
        ),
    ),
    "sigma": Program(
        parameters=(),
        registers=("sigma",),
        equations=("sigma <- sigma + i", "send sigma"),
        instructions=("ADD", "SPIKE"),
    ),
}
