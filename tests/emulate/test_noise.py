"""Noise of compartments: its stream, its law, and where it goes."""

import numpy as np
import pytest

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.emulate.noise import NoiseSource
from nengo_hybrid.graphs import Block, Noise, Probe, QuantizedGraph, SpikingGraph

QUIET = None


def make_block(n, noise, name="b", *, bias=0):
    """Return a block whose currents and voltages keep nothing from step to step."""
    values = {"decay_u": 4095, "decay_v": 4096, "vth": 2**23 - 1, "bias": bias}
    return Block(
        name=name,
        population=name,
        neurons=np.arange(n),
        **{key: np.full(n, value, np.int32) for key, value in values.items()},
        refract_delay=np.ones(n, np.int32),
        vmin=-(2**23),
        vmax=2**23 - 1,
        synapses=(),
        axons=(),
        noise=noise,
    )


def make_graph(*blocks):
    whole = tuple((i, np.arange(b.n_compartments)) for i, b in enumerate(blocks))
    return QuantizedGraph(
        target="loihi1",
        host=SpikingGraph(1.0, (), (), ""),
        host_reasons={},
        chip_steps=1,
        latency_steps=0,
        inputs=(),
        blocks=blocks,
        output="b",
        errors={},
        probes=(Probe("u", "current", whole), Probe("v", "voltage", whole)),
    )


def noise_on(n, *, exponent=7, offset=0, at_membrane=False, enabled=True):
    return Noise(np.broadcast_to(enabled, n), exponent, offset, at_membrane)


def run(graph, n_steps, *, n_samples=1, seed=0):
    """Return currents and voltages, (n_samples, n_steps, n_compartments)."""
    emulator = Emulator(graph, n_samples, seed=seed)
    return emulator.run(np.zeros((n_samples, n_steps, 0), np.int16)).probes


def drawn(n_steps, n, seed=0):
    """Draw what NengoLoihi's emulator draws, step by step."""
    rng = np.random.RandomState(seed)
    steps = [rng.randint(-127, 128, size=n, dtype=np.int32) for _ in range(n_steps)]
    return np.array(steps)


def test_noise_is_numpys_stream_drawn_step_by_step():
    # With an exponent of 7 the factor is 1.
    graph = make_graph(make_block(3, noise_on(3)), make_block(2, noise_on(2)))
    currents, _ = run(graph, 50, seed=11)
    np.testing.assert_array_equal(currents[0], drawn(50, 5, seed=11))


def test_all_compartments_draw_and_those_enabled_have_noise():
    mask = np.array([True, False, True])
    graph = make_graph(
        make_block(2, QUIET), make_block(3, noise_on(3, enabled=mask), "c")
    )
    currents, _ = run(graph, 20)
    np.testing.assert_array_equal(currents[0], drawn(20, 5) * [0, 0, 1, 0, 1])


def test_noise_goes_to_currents_or_to_membranes():
    graph = make_graph(
        make_block(2, noise_on(2), bias=1000),
        make_block(2, noise_on(2, at_membrane=True), "c", bias=1000),
    )
    currents, voltages = run(graph, 20)
    x = drawn(20, 4)
    np.testing.assert_array_equal(currents[0], x * [1, 1, 0, 0])
    # A current adds to its voltage, so both have it there.
    np.testing.assert_array_equal(voltages[0], x + 1000)


@pytest.mark.parametrize("exponent, offset", [(4, 0), (4, 1), (5, -2), (9, 1), (12, 3)])
@pytest.mark.parametrize("at_membrane", [False, True])
def test_noise_is_scaled_and_truncated_toward_zero(exponent, offset, at_membrane):
    noise = noise_on(3, exponent=exponent, offset=offset, at_membrane=at_membrane)
    found = run(make_graph(make_block(3, noise)), 60)[int(at_membrane)][0]
    wanted = [
        [int((x + 64 * offset) * 2.0 ** (exponent - 7)) for x in row]
        for row in drawn(60, 3).tolist()
    ]
    assert found.tolist() == wanted
    if exponent < 7:
        assert any(x < 0 and x % 8 for row in drawn(60, 3).tolist() for x in row)


def test_noise_is_uniform_over_255_values():
    source = NoiseSource(make_graph(make_block(50, noise_on(50))))
    values = source.draw(2000, np.random.RandomState(1)).current
    counts = np.bincount(values.ravel() + 127, minlength=255)
    assert len(counts) == 255 and values.shape == (2000, 50)
    # Each of 255 values comes 392 times; the deviation of the count is 20.
    assert np.all(np.abs(counts - values.size / 255) < 6 * 20)


def test_noise_does_not_depend_on_how_many_steps_are_drawn_at_once():
    source = NoiseSource(make_graph(make_block(3, noise_on(3))))
    one, other = np.random.RandomState(2), np.random.RandomState(2)
    whole = source.draw(10, one).current
    parts = [source.draw(n, other).current for n in (1, 4, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert one.randint(2**31) == other.randint(2**31)


def test_all_samples_have_the_noise_of_one():
    graph = make_graph(make_block(3, noise_on(3)))
    currents, _ = run(graph, 10, n_samples=4, seed=5)
    np.testing.assert_array_equal(currents, np.broadcast_to(currents[0], (4, 10, 3)))
    np.testing.assert_array_equal(currents[:1], run(graph, 10, seed=5)[0])


def test_noise_that_is_switched_off_everywhere_is_none():
    currents, voltages = run(make_graph(make_block(3, noise_on(3, enabled=False))), 9)
    assert not currents.any() and not voltages.any()


def test_another_seed_gives_other_noise():
    graph = make_graph(make_block(3, noise_on(3)))
    assert (run(graph, 10, seed=5)[0] != run(graph, 10, seed=6)[0]).any()


def test_quiet_graphs_draw_only_if_they_have_to():
    source = NoiseSource(make_graph(make_block(3, QUIET)))
    rng, fresh = np.random.RandomState(3), np.random.RandomState(3)
    found = source.draw(4, rng)
    assert found.current.shape == found.voltage.shape == (0, 3)
    assert rng.randint(2**31) == fresh.randint(2**31)
    found = source.draw(4, rng, always=True)
    fresh.randint(-127, 128, size=(4, 3), dtype=np.int32)
    assert found.current.shape == found.voltage.shape == (0, 3)
    assert rng.randint(2**31) == fresh.randint(2**31)
