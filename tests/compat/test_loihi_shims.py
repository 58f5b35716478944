import warnings

import numpy as np
import pytest

from nengo_hybrid.compat.loihi_shims import expect_newer_nengo
from nengo_hybrid.compat.numpy1 import Numpy1

nengo = pytest.importorskip("nengo")
nengo_loihi = pytest.importorskip("nengo_loihi", reason="NengoLoihi is not installed")

ON_NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"


@pytest.mark.parametrize("part", ["block", "neurons", "dvs"])
def test_numpy_is_replaced_in_its_modules_only_on_numpy_2(part):
    module = pytest.importorskip(f"nengo_loihi.{part}")
    assert isinstance(module.np, Numpy1) == ON_NUMPY_2
    assert not isinstance(nengo_loihi.simulator.np, Numpy1)


@pytest.mark.skipif(not ON_NUMPY_2, reason="NumPy 1 copies without a word")
def test_numpy_itself_still_refuses():
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.array([1.5], dtype=int, copy=False)


def test_an_ensemble_on_the_emulator_holds_what_it_is_given():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(0.5)
        ensemble = nengo.Ensemble(100, 1)
        nengo.Connection(stimulus, ensemble)
        probe = nengo.Probe(ensemble, synapse=0.02)
    with nengo_loihi.Simulator(net, target="sim", progress_bar=False) as sim:
        sim.run(0.3)
    assert np.mean(sim.data[probe][-100:]) == pytest.approx(0.5, abs=0.1)


def test_dense_integer_weights_become_synapses():
    synapse = nengo_loihi.block.Synapse(n_axons=2)
    synapse.set_weights(np.arange(6).reshape(2, 3))
    assert [w.tolist() for w in synapse.weights] == [[[0, 1, 2]], [[3, 4, 5]]]
    assert synapse.weights[0].dtype == np.float32


def test_rates_are_found_for_lists_of_integers():
    neurons = nengo_loihi.neurons
    lif = nengo.LIF(tau_ref=0.002)
    from_lists = neurons.loihi_rates(lif, [2], [1], [0], dt=0.001)
    assert np.allclose(from_lists, neurons.loihi_rates(lif, 2.0, 1.0, 0.0, dt=0.001))
    assert from_lists[0, 0] > 0


def test_events_are_read_from_a_camera_file(tmp_path):
    # Eight words: y << 2 and x << 1 in two words each, low first (the polarity and
    # the last bit of y in the bits below), then the time in microseconds.
    path = tmp_path / "one.events"
    path.write_bytes(bytes([5 << 2, 0, 7 << 1, 0, 3, 0, 0, 0]))
    events = nengo_loihi.dvs.DVSEvents.from_file(str(path)).events
    assert (events["x"][0], events["y"][0], events["t"][0]) == (7, 5, 3)


def test_importing_it_first_does_no_harm(run_fresh):
    status, printed, errors = run_fresh(
        """
        import nengo_loihi
        import nengo_hybrid
        import numpy as np
        synapse = nengo_loihi.block.Synapse(n_axons=1)
        synapse.set_weights(np.array([[1, 2]]))
        print(synapse.weights[0].tolist())
        """
    )
    assert (status, printed) == (0, "[[1.0, 2.0]]\n"), errors


def test_it_does_not_warn_of_nengo_4():
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        nengo_loihi.version.check_nengo_version()
        assert "has not been tested" in str(record.pop().message)
        expect_newer_nengo(nengo_loihi.version)
        nengo_loihi.version.check_nengo_version()
    assert record == []
