"""Programs, and the widths of the integers they compute with."""

import re
from dataclasses import replace

import numpy as np
import pytest

from nengo_hybrid.exceptions import TargetError
from nengo_hybrid.graphs import PROGRAMS, Widths
from nengo_hybrid.targets import load_target

# Intel, Taking Neuromorphic Computing to the Next Level with Loihi 2, 2021.
PUBLISHED = {
    *("ADD", "NEG", "MIN", "AND", "OR", "SHL", "MUL_SHR", "SEL", "LT", "GE", "EQ"),
    *("SKP", "JMP", "SPIKE"),
}


def with_formats(**bits):
    """Return Loihi 2 with other formats."""
    chip = load_target("loihi2")
    changed = {
        name: value and replace(chip.formats[name], value=value, low=value, high=value)
        for name, value in bits.items()
    }
    return replace(chip, formats={**chip.formats, **changed})


def test_widths_are_those_of_the_profile():
    widths = Widths.of(load_target("loihi2"))

    assert widths == Widths(state=24, factor=12, weight=8)
    assert (widths.state_limit, widths.largest_weight) == (8388608, 127)
    assert Widths.of(with_formats(weight_bits=(1, 4), decay_bits=9)).weight == 4


def test_a_width_that_nobody_published_is_an_error():
    words = (
        "target 'loihi2' has null for formats.decay_bits; programs cannot be run "
        "without it"
    )
    with pytest.raises(TargetError, match=f"^{re.escape(words)}$"):
        Widths.of(with_formats(decay_bits=None))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_take_published_instructions(name):
    program = PROGRAMS[name]

    assert set(program.instructions) <= PUBLISHED
    assert program.instructions.count("SPIKE") == sum(
        equation.startswith("send") for equation in program.equations
    )
    assert not np.intersect1d(program.parameters, program.registers).size
