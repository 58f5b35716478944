import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.report import wording
from nengo_hybrid.report.wording import (
    PREFIXES,
    count,
    interval,
    percent,
    printable,
    spoken,
    total_energy,
    with_prefix,
)


def test_examples_in_the_docstrings():
    result = doctest.testmod(wording)
    assert result.attempted > 5
    assert result.failed == 0


@pytest.mark.parametrize(
    "value, words",
    [
        (0, "0 J"),
        (23.6e-12, "23.6 pJ"),
        (1e-3, "1 mJ"),
        (999.4e-6, "999 uJ"),
        (999.6e-6, "1 mJ"),
        (1000, "1 kJ"),
        (-4e-9, "-4 nJ"),
        (2e-17, "0.02 fJ"),
        (None, "-"),
    ],
)
def test_with_prefix_matches_hand_cases(value, words):
    assert with_prefix(value, "J") == words


@settings(deadline=None)
@given(st.floats(min_value=1e-15, max_value=1e14))
def test_with_prefix_keeps_three_digits(value):
    number, unit = with_prefix(value, "J").split()
    powers = {f"{prefix}J": power for power, prefix in PREFIXES.items()}
    assert 1 <= float(number) < 1000
    assert float(number) * 1000.0 ** powers[unit] == pytest.approx(value, rel=5.01e-3)


def test_unknown_values_are_dashes():
    assert count(None) == percent(None) == interval(None, None, "J") == "-"
    assert interval(None, 2e-6, "J") == "- to 2 uJ"


def test_interval_writes_a_shared_unit_once():
    assert interval(2.1e-5, 3.3e-5, "J") == "21 to 33 uJ"
    assert interval(5e-4, 1e-3, "s") == "500 us to 1 ms"
    assert interval(0, 2e-6, "J") == "0 J to 2 uJ"
    assert interval(0, 0, "J") == "0 J"


def test_count_writes_counts_in_full_and_means_to_three_digits():
    assert count(10**12) == "1,000,000,000,000"
    assert count(1234567.8) == "1,234,568"
    assert count(243.54) == "244"
    assert count(2.346) == "2.35"
    assert count(999.99) == "1,000"


def test_spoken_drops_the_marks_of_a_key():
    assert spoken("n_steps") == "steps"
    assert spoken("neuron_update_active") == "neuron update active"


def test_printable_hides_control_characters():
    assert printable("a\x1b[31mb\n\ud800") == "a\ufffd[31mb\ufffd\ufffd"


def test_total_energy_names_every_unpriced_term():
    energy = {"total_j": None, "unpriced": ["host_message", "spike_hop"]}
    assert total_energy(energy) == ("withheld: host_message, spike_hop have no price")
    assert total_energy({"total_j": None, "unpriced": []}) == "withheld"
    assert total_energy({"total_j": 3.2e-6, "unpriced": []}) == "3.2 uJ"
