"""The delay line: exact in floats, and in spikes as many bits cost as much as said."""

import numpy as np
import pytest


@pytest.fixture
def delay(load):
    return load("delay")


def test_error_of_a_delay_that_is_known(delay):
    x = delay.signal(400)
    steps = np.arange(len(x))
    shifted = [np.interp(steps - (d - 0.5), steps, x) for d in delay.DELAYS]
    decoded = np.stack(shifted, axis=1)
    np.testing.assert_array_equal(delay.error(x, decoded), 0)
    # Half of the signal is an error of half, and twice of it of one.
    np.testing.assert_allclose(delay.error(x, 0.5 * decoded), 0.5)
    np.testing.assert_allclose(delay.error(x, 2 * decoded), 1)


def test_twice_the_omega_is_half_the_error(delay, tmp_path, capsys):
    found = delay.main(tmp_path, n_steps=800, omegas=(4, 8, 16))
    assert np.all(found["exact"] < 0.02)
    for place in delay.PLACES:
        errors = np.array([found[place, omega] for omega in (4, 8, 16)])
        np.testing.assert_array_less(0.35, errors[1:] / errors[:-1])
        np.testing.assert_array_less(errors[1:] / errors[:-1], 0.65)
        assert np.all(errors > found["exact"])
    assert (tmp_path / "delay.svg").stat().st_size < 150e3
    assert capsys.readouterr().out.endswith(f"wrote {tmp_path / 'delay.svg'}\n")


def test_counts_are_what_is_sent(delay):
    sent, counts = delay.run_in_spikes(delay.signal(200), "readout", "rotations", 2)
    assert sent.shape == counts.shape == (200, delay.ORDER)
    scale = counts[counts != 0] / sent[counts != 0]
    assert np.all(scale > 0)
    np.testing.assert_array_equal(sent[counts == 0], 0)
