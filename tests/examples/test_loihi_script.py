"""NengoLoihi's script on both simulators: the same to the last bit."""

import nengo
import numpy as np
import pytest


@pytest.fixture
def script(load, monkeypatch):
    """Load the script, and take back what it makes the default of all ensembles."""
    for parameter in (nengo.Ensemble.max_rates, nengo.Ensemble.intercepts):
        monkeypatch.setattr(parameter, "default", parameter.default)
    for neurons in (nengo.LIF, nengo.SpikingRectifiedLinear):
        monkeypatch.setitem(neurons.state, "voltage", neurons.state["voltage"])
    return load("loihi_script")


def test_both_record_the_same(script, tmp_path, capsys):
    theirs, ours = script.main(tmp_path, seconds=0.4)
    assert len(theirs) == len(script.net.all_probes) == 5
    for probe, values in theirs.items():
        np.testing.assert_array_equal(ours[probe], values, strict=True)
    for probe in script.spikes.values():
        assert np.count_nonzero(ours[probe]) > 1000
    assert capsys.readouterr().out.count("spikes, the same") == 3
    assert (tmp_path / "loihi_script.svg").stat().st_size < 150e3


def test_a_difference_is_said(script, capsys):
    theirs = {probe: np.zeros((4, 3)) for probe in script.spikes.values()}
    ours = {probe: values.copy() for probe, values in theirs.items()}
    theirs[script.spikes[script.receiver]][2, 1] = 1000
    script.compare(theirs, ours)
    assert capsys.readouterr().out.splitlines() == [
        "sender: 0 spikes, the same",
        "receiver: 1 spikes, DIFFERENT",
        "oscillator: 0 spikes, the same",
    ]
