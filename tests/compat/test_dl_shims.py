import os
import random
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from nengo_hybrid.compat.dl_shims import (
    ask_for_legacy_keras,
    draw_whole_seeds,
    require_legacy_keras,
)
from nengo_hybrid.exceptions import CompatError

INSTALLED = {found.metadata["Name"].lower() for found in metadata.distributions()}

with_nengo_dl = pytest.mark.skipif(
    "nengo-dl" not in INSTALLED, reason="NengoDL is not installed"
)


def last_line(text):
    return text.strip().splitlines()[-1]


@with_nengo_dl
def test_tensorflow_first_is_refused_with_the_line_to_write(run_fresh):
    status, _, errors = run_fresh("import tensorflow, nengo_hybrid, nengo_dl")
    assert status == 1
    assert last_line(errors) == (
        "nengo_hybrid.exceptions.CompatError: nengo_dl needs Keras 2, but tensorflow "
        "was imported before nengo_hybrid and brought Keras "
        f"{metadata.version('keras')}. Write `import nengo_hybrid` above `import "
        "tensorflow` (nengo_loihi imports it too), or set TF_USE_LEGACY_KERAS=1 before "
        "Python starts."
    )


@with_nengo_dl
def test_tensorflow_first_is_no_matter_to_who_does_not_train(run_fresh):
    status, printed, errors = run_fresh(
        """
        import tensorflow as tf
        import nengo_hybrid
        print(tf.keras.Model.__module__.split(".")[0])
        states = {s.shim.name: s.state for s in nengo_hybrid.compat.states()}
        print(states["nengo-dl-legacy-keras"], states["nengo-dl-keras-engine"])
        """
    )
    assert status == 0, errors
    assert printed == "keras\ntoo late waiting\n"


@with_nengo_dl
def test_tensorflow_first_is_taken_if_asked_for_keras_2(run_fresh):
    status, printed, errors = run_fresh(
        """
        import tensorflow, nengo_hybrid, nengo_dl
        print(nengo_dl.compat.Functional.__module__)
        """,
        TF_USE_LEGACY_KERAS="1",
    )
    assert status == 0, errors
    assert printed == "tf_keras.src.engine.functional\n"
    assert "NengoDL has not been tested" not in errors


@with_nengo_dl
def test_a_choice_of_keras_3_stands_and_is_named(run_fresh):
    status, _, errors = run_fresh(
        "import nengo_hybrid, nengo_dl", TF_USE_LEGACY_KERAS="0"
    )
    assert status == 1
    assert last_line(errors) == (
        "nengo_hybrid.exceptions.CompatError: nengo_dl needs Keras 2, but "
        "TF_USE_LEGACY_KERAS=0 asks for Keras 3. Set TF_USE_LEGACY_KERAS=1, or do not "
        "set it."
    )


@pytest.mark.parametrize(
    "tensorflow, release",
    [({"tensorflow": "2.18.1"}, "2.18"), ({"tensorflow-cpu": "2.20.0"}, "2.20")],
)
def test_a_missing_tf_keras_is_named_with_its_release(
    pretend_installed, tensorflow, release
):
    pretend_installed({"nengo-dl": "3.6.0", **tensorflow})
    with pytest.raises(CompatError) as caught:
        require_legacy_keras(None)
    assert str(caught.value) == (
        "nengo_dl needs Keras 2, but tf-keras is not installed. "
        f'Run: pip install "tf-keras=={release}.*"'
    )


def test_without_tf_keras_tensorflow_is_left_its_keras(pretend_installed, monkeypatch):
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    pretend_installed({"nengo-dl": "3.6.0"})
    assert not ask_for_legacy_keras(None)
    assert "TF_USE_LEGACY_KERAS" not in os.environ


@pytest.mark.parametrize(
    "before, after, mended", [(None, "1", True), ("0", "0", False)]
)
def test_the_flag_is_set_unless_the_user_set_it(
    pretend_installed, monkeypatch, before, after, mended
):
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    if before is not None:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
    pretend_installed({"nengo-dl": "3.6.0", "tf-keras": "2.21.0"})
    assert ask_for_legacy_keras(None) is mended
    assert os.environ["TF_USE_LEGACY_KERAS"] == after
    monkeypatch.delenv("TF_USE_LEGACY_KERAS")


@with_nengo_dl
def test_keras_of_everybody_else_is_keras_3(run_fresh):
    status, printed, errors = run_fresh(
        """
        import nengo_hybrid, nengo_dl, sys
        import keras
        print(keras.__version__[0], hasattr(keras.layers, "BatchNormalizationV1"))
        print("keras.engine" in sys.modules)
        """
    )
    assert status == 0, errors
    assert printed == "3 False\nFalse\n"


@with_nengo_dl
def test_one_step_of_training_changes_the_weights():
    nengo = pytest.importorskip("nengo")
    nengo_dl = pytest.importorskip("nengo_dl")
    tf = pytest.importorskip("tensorflow")
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5])
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        connection = nengo.Connection(stimulus, ensemble, synapse=None)
        probe = nengo.Probe(ensemble)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        before = np.array(sim.data[connection].weights)
        bias = np.array(sim.data[ensemble].bias)
        sim.compile(tf.optimizers.SGD(0.1), loss=tf.losses.mse)
        x, y = np.ones((2, 1, 1)), np.zeros((2, 1, 1))
        history = sim.fit({stimulus: x}, {probe: y}, epochs=1, verbose=0)
        assert np.isfinite(history.history["loss"][0])
        changed = sim.data[connection].weights != before
        assert np.any(changed) or np.any(sim.data[ensemble].bias != bias)


@with_nengo_dl
@pytest.mark.parametrize(
    "synapse",
    [
        pytest.param(([2.0], [1.0]), id="no-state"),
        pytest.param(([0.03, 1.0], [0.02, 1.0]), id="feedthrough"),
        pytest.param(([1.0], [0.0004, 0.04, 1.0]), id="no-feedthrough"),
    ],
)
def test_a_filter_with_feedthrough_runs_as_in_nengo(synapse):
    nengo = pytest.importorskip("nengo")
    nengo_dl = pytest.importorskip("nengo_dl")
    with nengo.Network() as net:
        stimulus = nengo.Node(np.sin)
        probe = nengo.Probe(stimulus, synapse=nengo.LinearFilter(*synapse))
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(50)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(50)
    assert np.allclose(sim.data[probe], reference.data[probe], atol=1e-6)


@with_nengo_dl
def test_a_seed_for_all_of_keras_makes_a_layers_weights_again(run_fresh):
    status, printed, errors = run_fresh(
        """
        import nengo_hybrid
        from tensorflow import keras
        def draw():
            keras.utils.set_random_seed(0)
            return keras.initializers.GlorotUniform()((3, 3)).numpy().tolist()
        print(draw() == draw())
        """
    )
    assert status == 0, errors
    assert printed == "True\n"


def test_seeds_are_whole_numbers_from_the_generator_that_was_set():
    backend = SimpleNamespace(
        _SEED_GENERATOR=SimpleNamespace(),
        RandomGenerator=type("RandomGenerator", (), {}),
    )
    assert draw_whole_seeds(backend) and draw_whole_seeds(backend)
    generator = backend.RandomGenerator()
    assert generator._create_seed(5) == 5
    assert generator._create_seed(0) == 0
    assert 1 <= generator._create_seed(None) <= 10**9
    backend._SEED_GENERATOR.generator = random.Random(3)
    assert generator._create_seed(None) == random.Random(3).randint(1, 10**9)
