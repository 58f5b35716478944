"""What a run takes of memory, and how it is split or refused to fit."""

import numpy as np
import pytest

from nengo_hybrid import emulate
from nengo_hybrid.emulate.memory import (
    check_memory,
    result_bytes,
    samples_at_once,
    working_bytes,
)
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graphs import (
    AxonGroup,
    Block,
    Noise,
    Population,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
)
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

LOIHI1 = load_target("loihi1")


@pytest.fixture(scope="module")
def graph():
    """Return 2 lines onto 3 noisy neurons, of which 2 voltages are probed."""
    weights = np.array([[40, -20, 30], [10, 50, -15]], np.int32)
    synapses = SynapseGroup(
        name="s",
        weights=tuple(row[None] for row in weights),
        indices=tuple(np.arange(3, dtype=np.int32)[None] for _ in weights),
        row_of_axon=np.arange(2),
        base_of_axon=np.zeros(2, int),
        memory_bits=100,
        weight_exponent=0,
    )
    values = {"decay_u": 500, "decay_v": 100, "vth": 120, "bias": 9, "refract_delay": 1}
    block = Block(
        name="b",
        population="b",
        neurons=np.arange(3),
        **{key: np.full(3, value, np.int32) for key, value in values.items()},
        vmin=-(2**20),
        vmax=2**20,
        synapses=(synapses,),
        axons=(),
        noise=Noise(np.ones(3, bool), exponent=4, offset=0, at_membrane=True),
    )
    out = AxonGroup(0, 0, np.arange(2), np.zeros(2, int), n_slots=2)
    return QuantizedGraph(
        target="loihi1",
        host=SpikingGraph(1.0, (Population("x", 2, "input"),), (), ""),
        host_reasons={},
        chip_steps=1,
        latency_steps=0,
        inputs=(SpikeInput("x", "x", 2, (out,)),),
        blocks=(block,),
        output="b",
        errors={},
        probes=(
            Probe("voltage", "voltage", ((0, np.array([2, 0])),)),
            Probe("spiked", "spiked", ((0, np.array([1])),)),
        ),
    )


def counts(n_samples, n_steps):
    rng = np.random.default_rng(0)
    return {"x": rng.integers(0, 2, (n_samples, n_steps, 2))}


def run(graph, n_samples=40, n_steps=10, **options):
    """Run a batch; return the trace, and the parts it was worked off in."""
    told = []
    trace = emulate.run(
        graph,
        place(graph, LOIHI1),
        counts(n_samples, n_steps),
        progress=lambda done, total: told.append((done, total)),
        **options,
    )
    return trace, told


def test_results_by_hand(graph):
    # Each step: spikes of 3 neurons and of the probe's 1 in a byte each, a number of 4
    # bytes per block, and 2 lines of 2 bytes; each row of the 2 voltages twice 8 bytes.
    assert result_bytes(graph, 10) == 10 * (3 + 1 + 4 + 4) + 10 * 16
    # Sums take 4 bytes, and 10 steps are 3 bins of up to 4; of rows there are 3.
    binned = result_bytes(graph, 10, bin_steps=4, sample_every=3)
    assert binned == 3 * (12 + 4 + 4 + 8) + 3 * 16


def test_work_by_hand(graph):
    # Three times 2 lines of 2 bytes in each of 10 steps, and 4 registers of 3 neurons.
    assert working_bytes(graph, 10) == 3 * 10 * 2 * 2 + 4 * 3 * 4


@pytest.mark.parametrize("bin_steps", [1, 4, 10, 200])
@pytest.mark.parametrize("sample_every", [1, 3])
def test_results_take_no_more_than_was_said(graph, bin_steps, sample_every):
    n_samples, n_steps = 3, 250
    bins = {"bin_steps": bin_steps, "sample_every": sample_every}
    trace, _ = run(graph, n_samples, n_steps, **bins)
    # The block has the trace's spikes, too, and the probes a part of other arrays.
    held = sum(p.spikes.nbytes for p in trace.populations.values())
    held += sum(values.nbytes for values in trace.probes.values())
    assert held <= n_samples * result_bytes(graph, n_steps, **bins)


def test_a_batch_that_is_split_gives_the_same(graph):
    whole, parts = run(graph)
    assert parts == [(16, 40), (32, 40), (40, 40)]
    few = 40 * result_bytes(graph, 10) + 3 * working_bytes(graph, 10)
    split, parts = run(graph, memory_bytes=few)
    assert parts == [(n, 40) for n in (*range(3, 40, 3), 40)]
    for name, population in whole.populations.items():
        other = split.populations[name]
        for what in ("spikes", "updates_active", "updates_inactive"):
            found, wanted = getattr(other, what), getattr(population, what)
            np.testing.assert_array_equal(found, wanted, strict=True)
    for name, values in whole.probes.items():
        np.testing.assert_array_equal(split.probes[name], values, strict=True)
    assert len(np.unique(whole.probes["voltage"], axis=0)) == 40


def test_what_does_not_fit_is_refused_with_the_batch_that_does(graph):
    # Of 10,000 bytes 168 are for work, and 35 results of 280 fit into the rest.
    assert result_bytes(graph, 10) == 280 and working_bytes(graph, 10) == 168
    with pytest.raises(EmulateError) as caught:
        run(graph, memory_bytes=10_000)
    assert str(caught.value) == (
        "40 samples of 10 steps need 11,368 bytes of memory, of which 10,000 are "
        "free; a batch of 35 fits. Run fewer samples at once, or keep less of each: "
        "bin_steps sums up spikes, sample_every thins out voltages and currents"
    )
    with pytest.raises(EmulateError, match="a batch of 35 fits"):
        run(graph, 36, memory_bytes=10_000)
    trace, parts = run(graph, 35, memory_bytes=10_000)
    assert trace.n_samples == 35 and parts[-1] == (35, 35)


@pytest.mark.parametrize("memory_bytes", range(448, 3000, 97))
def test_the_batch_that_is_named_is_the_largest(graph, memory_bytes):
    with pytest.raises(EmulateError, match="; a batch of ") as caught:
        check_memory(graph, 1000, 10, memory_bytes)
    fits = int(str(caught.value).partition("a batch of ")[2].partition(" ")[0])
    assert fits >= 1
    left = check_memory(graph, fits, 10, memory_bytes)
    assert left == memory_bytes - fits * 280 >= 168
    with pytest.raises(EmulateError):
        check_memory(graph, fits + 1, 10, memory_bytes)


def test_fewer_results_fit_where_more_do_not(graph):
    trace, _ = run(graph, memory_bytes=10_000, bin_steps=10, sample_every=10)
    assert trace.n_samples == 40 and trace.n_bins == 1


def test_nothing_fits_into_nothing(graph):
    with pytest.raises(EmulateError, match="100 are free; a batch of 0 fits"):
        run(graph, memory_bytes=100)


def test_no_steps_fit_into_little(graph):
    # Registers of 3 neurons take 48 bytes, results nothing.
    with pytest.raises(EmulateError, match="^2 samples of 0 steps need 48 bytes"):
        run(graph, 2, 0, memory_bytes=47)
    trace, _ = run(graph, 2, 0, memory_bytes=48)
    assert trace.n_samples == 2 and trace.n_steps == 0


def test_samples_at_once_by_hand(graph):
    # 168 bytes each; 16 at once, or so many that there are 16 parts.
    assert samples_at_once(graph, 5, 10, 10**9) == 5
    assert samples_at_once(graph, 100, 10, 10**9) == 16
    assert samples_at_once(graph, 1000, 10, 10**9) == 63
    assert samples_at_once(graph, 1000, 10, 7 * 168 + 167) == 7
    assert samples_at_once(graph, 1000, 10, 0) == 1
