"""What a run did: bins, probes, operations, and what is left after an interrupt."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import emulate
from nengo_hybrid.exceptions import EmulateError, Interrupted, ShapeError
from nengo_hybrid.graphs import (
    Population,
    Probe,
    Projection,
    QuantizedGraph,
    SpikingGraph,
)
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target
from nengo_hybrid.trace import PopulationTrace, make_trace, signed_spikes

LOIHI1 = load_target("loihi1")
SIZES = {"r": 3, "h": 1100, "out": 4}
N_STEPS = 9  # of the input; of the chip, two each and those of the way through


def spiking(name, n, activation="RectifiedLinear", *, omega=1.0, bias=0.0):
    bias, zeros = np.broadcast_to(np.asarray(bias, dtype=float), n), np.zeros(n)
    return Population(
        name, n, activation, omega=omega, bias=bias, initial_voltage=zeros
    )


def quantize(sizes):
    """Return r -> h -> out and r -> out; r is signed and comes from the host."""
    rng = np.random.default_rng(0)
    r, h, out = sizes.values()
    weights = rng.normal(size=(h, r)) * (rng.random((h, r)) < 0.6)
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", r, "input"),
            spiking("r", r, "Identity", omega=3.0),
            spiking("h", h, bias=rng.uniform(-0.1, 0.3, h)),
            spiking("out", out, omega=2.0),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(r)),
            Projection("r_to_h", "r", "h", weights),
            Projection("r_to_out", "r", "out", 0.5 * rng.normal(size=(out, r))),
            Projection("h_to_out", "h", "out", rng.normal(size=(out, h)) / h**0.5),
        ),
        output="out",
    )
    return to_loihi(graph, chip_steps=2)


def with_probes(graph):
    last = len(graph.blocks) - 1
    probes = (
        Probe(
            "first voltages", "voltage", ((0, np.array([4, 1])), (last, np.arange(2)))
        ),
        Probe("last currents", "current", ((last, np.array([3, 2])),)),
        Probe("spikes", "spiked", ((0, np.array([0, 2, 1])),)),
    )
    return dataclasses.replace(graph, probes=probes)


@pytest.fixture(scope="module")
def small():
    return with_probes(quantize(SIZES | {"h": 6}))


@pytest.fixture(scope="module")
def split():
    graph = quantize(SIZES)
    assert [b.population for b in graph.blocks] == ["h", "h", "out"]
    return graph


def counts(graph, n_samples=2):
    rng = np.random.default_rng(1)
    return {"r": rng.integers(-3, 4, (n_samples, N_STEPS, SIZES["r"]))}


def run(graph, n_samples=2, **options):
    given = counts(graph, n_samples)
    return emulate.run(graph, place(graph, LOIHI1), given, **options)


def summed(values, bin_steps):
    """Sum (n_samples, n_steps, ...) over bins, the last of which may be shorter."""
    starts = range(0, values.shape[1], bin_steps)
    sums = [values[:, a : a + bin_steps].sum(axis=1, dtype=int) for a in starts]
    return np.stack(sums, axis=1)


@settings(max_examples=25)
@given(bin_steps=st.integers(1, 30), sample_every=st.integers(1, 30))
def test_bins_are_sums_of_steps(small, bin_steps, sample_every):
    steps = run(small)
    binned = run(small, bin_steps=bin_steps, sample_every=sample_every)
    n_steps = steps.n_steps
    assert binned.n_steps == n_steps == small.chip_time_steps(N_STEPS)
    assert binned.bin_steps == min(bin_steps, n_steps)
    assert binned.n_bins == -(-n_steps // binned.bin_steps)
    for name, population in binned.populations.items():
        whole = steps.populations[name]
        for what in ("spikes", "updates_active", "updates_inactive", "synaptic_ops"):
            if what == "synaptic_ops" and not whole.on_chip:
                continue  # spikes of both signs in a bin cancel; see below
            found = getattr(population, what)
            wanted = summed(getattr(whole, what), bin_steps)
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name} {what}")
    for name in ("first voltages", "last currents"):
        every = steps.probes[name][:, sample_every - 1 :: sample_every]
        np.testing.assert_array_equal(binned.probes[name], every, strict=True)
    spikes = summed(steps.probes["spikes"], bin_steps)
    np.testing.assert_array_equal(binned.probes["spikes"], spikes)


def test_counts_of_long_bins_do_not_wrap():
    # Of 300 steps in a bin, a neuron with a large bias spikes in each.
    graph = quantize(SIZES | {"h": 2})
    block = dataclasses.replace(graph.blocks[0], bias=np.full(2, 2**20, np.int32))
    graph = dataclasses.replace(graph, blocks=(block, *graph.blocks[1:]))
    given = {"r": np.zeros((1, 150, 3), int)}
    for bin_steps in (100, 127, 128, 256, 10**9):
        trace = emulate.run(graph, place(graph, LOIHI1), given, bin_steps=bin_steps)
        spikes = trace.populations["h"].spikes
        assert spikes.min() >= 0
        assert spikes.sum(axis=1).tolist() == [[trace.n_steps] * 2]


def test_probes_stand_in_the_trace_by_name(small):
    trace = run(small)
    assert list(trace.probes) == ["first voltages", "last currents", "spikes"]
    shapes = [values.shape for values in trace.probes.values()]
    assert shapes == [(2, trace.n_steps, n) for n in (4, 2, 3)]
    h = trace.populations["h"].spikes
    np.testing.assert_array_equal(trace.probes["spikes"], h[..., [0, 2, 1]])
    assert all(values.any() for values in trace.probes.values())
    assert run(dataclasses.replace(small, probes=())).probes == {}


@pytest.mark.parametrize("name", ["bin_steps", "sample_every"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 2.0, True, "2", None])
def test_steps_of_bins_and_samples_are_whole_numbers(small, name, value):
    with pytest.raises(EmulateError) as caught:
        run(small, **{name: value})
    assert str(caught.value) == (
        f"{name} has to be a whole number of steps, at least 1, got {value!r}"
    )


def test_a_run_needs_samples(small):
    with pytest.raises(EmulateError, match="^a batch needs .* at least 1, got 0$"):
        run(small, 0)


def test_a_run_needs_counts_of_every_population(small):
    with pytest.raises(ShapeError) as caught:
        emulate.run(small, place(small, LOIHI1), {})
    assert str(caught.value) == (
        "injected population 'r' needs counts of shape (n_samples, n_steps, 3), got "
        "None"
    )


def brute_force_ops(graph, population, lines, spikes):
    """Follow each spike of a population through the graph, one synapse at a time."""
    n_samples, n_steps = next(iter(lines.values())).shape[:2]
    ops = np.zeros((n_samples, n_steps), dtype=int)
    sources = [(s, lines[s.name]) for s in graph.inputs if s.population == population]
    for block in graph.blocks:
        if block.population == population:
            sources.append((block, spikes[..., block.neurons]))
    for source, sent in sources:
        for sample, step, neuron in np.argwhere(sent):
            for axon in source.axons:
                group = graph.blocks[axon.target_block].synapses[axon.target_synapses]
                number = axon.axon_of_neuron[neuron]
                if number < 0 or group.base_of_axon[number] < 0:
                    continue
                row = group.weights[group.row_of_axon[number]]
                stored = len(row[axon.atom_of_neuron[neuron]])
                ops[sample, step] += stored * sent[sample, step, neuron]
    return ops


@pytest.mark.parametrize("which", ["small", "split"])
def test_synaptic_ops_are_those_of_each_spike(which, request):
    graph = request.getfixturevalue(which)
    trace, lines = run(graph), graph.inject(counts(graph))
    for name, population in trace.populations.items():
        wanted = brute_force_ops(graph, name, lines, population.spikes)
        np.testing.assert_array_equal(population.synaptic_ops, wanted, err_msg=name)
        assert wanted.any() == (name != "out")


def population_trace(spikes, fan_out):
    none = np.zeros(spikes.shape[:2], int)
    return PopulationTrace(
        on_chip=True,
        spikes=spikes,
        fan_out=np.array(fan_out),
        updates_active=none,
        updates_inactive=none,
    )


def test_synaptic_ops_by_hand():
    # In the first step 2 spikes into 10 synapses and a negative one into 3; in the
    # second 1 into 3.
    spikes = np.array([[[2, -1], [0, 1]]], dtype=np.int8)
    trace = population_trace(spikes, [10, 3])
    assert trace.synaptic_ops.tolist() == [[23, 3]]


def test_synaptic_ops_of_many_spikes_do_not_wrap():
    spikes = np.full((1, 1, 2), 127, dtype=np.int8)
    trace = population_trace(spikes, [2**31, 1])
    assert trace.synaptic_ops.tolist() == [[127 * 2**31 + 127]]


def test_updates_are_all_neurons_of_all_steps(small):
    trace = run(small, bin_steps=4)
    for name in ("h", "out"):
        population = trace.populations[name]
        updates = population.updates_active + population.updates_inactive
        in_bin = [4] * (trace.n_steps // 4) + [trace.n_steps % 4] * (
            trace.n_steps % 4 > 0
        )
        assert updates.tolist() == 2 * [
            [population.spikes.shape[2] * n for n in in_bin]
        ]


def test_the_trace_says_what_was_run(small):
    before, sha = small.sha256, "0123"
    trace = run(small, target_sha256=sha, seed=7)
    assert trace.graph_sha256 == before == dataclasses.replace(small).sha256
    assert (trace.target_sha256, trace.seed, trace.backend) == (sha, 7, "emulator")
    assert (trace.n_samples, trace.n_input_steps) == (2, N_STEPS)
    assert trace.output == "out"
    np.testing.assert_array_equal(trace.output_spikes, trace.populations["out"].spikes)
    assert trace.target == "loihi1"


def test_an_interrupt_leaves_the_samples_that_are_done(small):
    whole = run(small, 40, bin_steps=3)

    def stop(done, total):
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        run(small, 40, bin_steps=3, progress=stop)
    assert str(caught.value) == "interrupted after 32 samples"
    assert isinstance(caught.value, KeyboardInterrupt)
    trace = caught.value.trace
    assert trace.n_samples == 32 and trace.n_steps == whole.n_steps
    assert trace.output_spikes.shape == (32, whole.n_bins, SIZES["out"])
    for name, population in trace.populations.items():
        for what in ("spikes", "updates_active", "updates_inactive"):
            wanted = getattr(whole.populations[name], what)[:32]
            np.testing.assert_array_equal(
                getattr(population, what), wanted, strict=True
            )
    for name, values in trace.probes.items():
        np.testing.assert_array_equal(values, whole.probes[name][:32], strict=True)


def test_an_interrupt_before_the_first_sample_leaves_none(small, monkeypatch):
    def stop(self, host_counts):
        raise KeyboardInterrupt

    placement, given = place(small, LOIHI1), counts(small)
    monkeypatch.setattr(QuantizedGraph, "inject", stop)
    with pytest.raises(Interrupted, match="^interrupted after 0 samples$") as caught:
        emulate.run(small, placement, given)
    trace = caught.value.trace
    assert trace.n_samples == 0 and trace.output_spikes.shape[0] == 0
    assert trace.populations["r"].spikes.shape[0] == 0


def test_signed_spikes_by_hand(small):
    # One step of the input, two of the chip, and the way through: of 3 spikes one is
    # sent in the first and two in the second.
    lines = small.inject({"r": np.array([[[3, -3, 0]]])})
    (spikes,) = signed_spikes(small, lines)["r"]
    assert spikes[:2].tolist() == [[1, -1, 0], [2, -2, 0]]
    assert not spikes[2:].any()
    (binned,) = signed_spikes(small, lines, 2)["r"]
    assert binned[0].tolist() == [3, -3, 0]


def test_a_split_population_is_put_together_in_its_order(split):
    # Blocks in another order than their neurons.
    graph = dataclasses.replace(split, inputs=(), probes=())
    first, second, last = graph.blocks
    graph = dataclasses.replace(graph, blocks=(second, first, last))
    n = graph.n_compartments
    spikes = np.arange(n).reshape(1, 1, n)
    active = np.array([[[5, 6, 1]]])
    trace = make_trace(
        graph, {}, spikes, active, backend="emulator", target_sha256="", seed=0
    )
    found = trace.populations["h"]
    half = first.n_compartments
    assert found.spikes[0, 0, second.neurons].tolist() == list(range(half))
    assert found.spikes[0, 0, first.neurons].tolist() == list(range(half, 2 * half))
    assert found.updates_active.tolist() == [[11]]
    assert found.updates_inactive.tolist() == [[1100 - 11]]
