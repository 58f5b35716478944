"""`Emulator`: neurons by hand, steps in any portions, overflows and their words."""

import dataclasses
import re
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graphs import (
    AxonGroup,
    Block,
    Learning,
    Noise,
    Population,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
)

VARIABLES = ("spiked", "voltage", "current")


def make_block(n=1, name="b", *, weights=(), axons=(), noise=None, **changes):
    """Return a block that integrates what arrives; a row of weights per axon."""
    synapses = ()
    if len(weights):
        weights = np.array(weights, np.int32)
        where = np.arange(weights.shape[1], dtype=np.int32)
        synapses = SynapseGroup(
            name=f"into {name}",
            weights=tuple(row[None] for row in weights),
            indices=tuple(where[None] for _ in weights),
            row_of_axon=np.arange(len(weights)),
            base_of_axon=np.zeros(len(weights), int),
            memory_bits=0,
            weight_exponent=0,
        )
        synapses = (synapses,)
    values = {"decay_u": 4095, "decay_v": 0, "vth": 10, "bias": 0, "refract_delay": 1}
    values |= {"vmin": -(2**23), "vmax": 2**23 - 1} | changes
    vmin, vmax = values.pop("vmin"), values.pop("vmax")
    arrays = {k: np.broadcast_to(v, n).astype(np.int32) for k, v in values.items()}
    return Block(
        name=name,
        population=name,
        neurons=np.arange(n),
        **arrays,
        vmin=vmin,
        vmax=vmax,
        synapses=synapses,
        axons=tuple(axons),
        noise=noise,
    )


def axons_to(block, n):
    """Return axons from n sources to a block's axons, one each."""
    return AxonGroup(block, 0, np.arange(n), np.zeros(n, int), n_slots=n)


def make_graph(blocks, *, n_lines=0):
    """Return a graph; its lines lead to the first block, and all is probed."""
    inputs = ()
    if n_lines:
        inputs = (SpikeInput("x", "x", n_lines, (axons_to(0, n_lines),)),)
    whole = tuple((b, np.arange(len(block.neurons))) for b, block in enumerate(blocks))
    return QuantizedGraph(
        target="loihi1",
        host=SpikingGraph(1.0, (Population("x", max(1, n_lines), "input"),), (), ""),
        host_reasons={},
        chip_steps=1,
        latency_steps=0,
        inputs=inputs,
        blocks=tuple(blocks),
        output="b",
        errors={},
        probes=tuple(Probe(v, v, whole) for v in VARIABLES),
    )


def silence(n_steps, n_samples=1, n_lines=0):
    return np.zeros((n_samples, n_steps, n_lines), np.int16)


def spikes_at(steps, n_steps, n_lines=1):
    """Return one sample whose first line has given counts at given steps."""
    lines = silence(n_steps, n_lines=n_lines)
    for step, count in steps.items():
        lines[0, step, 0] = count
    return lines


def read(graph, lines, **options):
    """Run from rest; return by variable what the first sample's probes read."""
    found = Emulator(graph, **options).run(lines).probes
    pairs = zip(VARIABLES, found, strict=True)
    return {name: values[0].T.tolist() for name, values in pairs}


def random_graph(seed=0, *, noise=False):
    """Return two blocks that excite each other, and lines; it does not go quiet."""
    rng = np.random.default_rng(seed)
    sizes, n_lines = (7, 5), 6
    drawn = Noise(rng.random(7) < 0.7, exponent=6, offset=1, at_membrane=False)
    blocks = [
        make_block(
            n,
            f"b{i}",
            weights=rng.integers(-30, 60, (7, n)),
            axons=[axons_to(1 - i, n)],
            noise=drawn if noise and i == 0 else None,
            decay_u=rng.integers(0, 4096, n),
            decay_v=rng.integers(0, 4096, n),
            vth=rng.integers(50, 200, n),
            bias=rng.integers(-5, 40, n),
            refract_delay=rng.integers(0, 4, n),
            vmin=-100,
        )
        for i, n in enumerate(sizes)
    ]
    return make_graph(blocks, n_lines=n_lines)


def random_lines(seed, n_steps, *, n_samples=1, n_lines=6):
    rng = np.random.default_rng(seed)
    return rng.binomial(2, 0.3, (n_samples, n_steps, n_lines)).astype(np.int16)


def assert_same(one, other):
    for found, wanted in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_a_neuron_integrates_and_fires_by_hand():
    # A bias of 3 and a threshold of 9, which has to be passed: spikes at 12.
    found = read(make_graph([make_block(bias=3, vth=9)]), silence(9))
    assert found["voltage"] == [[3, 6, 9, 0, 3, 6, 9, 0, 3]]
    assert found["spiked"] == [[0, 0, 0, 1, 0, 0, 0, 1, 0]]
    assert found["current"] == [[0] * 9]


def test_a_refractory_neuron_waits_by_hand():
    # A delay of 3 is this step and two more at 0.
    graph = make_graph([make_block(bias=3, vth=9, refract_delay=3)])
    found = read(graph, silence(11))
    assert found["voltage"] == [[3, 6, 9, 0, 0, 0, 3, 6, 9, 0, 0]]
    assert found["spiked"] == [[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]]


def test_voltages_are_cut_to_their_limits_by_hand():
    block = make_block(2, bias=[-5, 5], vth=100, vmin=-7, vmax=12)
    found = read(make_graph([block]), silence(4))
    assert found["voltage"] == [[-5, -7, -7, -7], [5, 10, 12, 12]]


def test_currents_and_voltages_decay_by_hand():
    # Of 4096ths, a current keeps 4096 - 256 - 1, a voltage 4096 - 256.
    current = make_block(2, weights=[[6400, -6400]], decay_u=256, vth=2**20)
    found = read(make_graph([current], n_lines=1), spikes_at({0: 1}, 5))
    assert found["current"][0] == [0, 6400, 5998, 5621, 5268]
    assert found["current"][1] == [0, -6400, -5998, -5621, -5268]
    voltage = make_block(2, weights=[[6400, -6400]], decay_v=256, vth=2**20)
    found = read(make_graph([voltage], n_lines=1), spikes_at({0: 1}, 5))
    assert found["current"] == [[0, 6400, 0, 0, 0], [0, -6400, 0, 0, 0]]
    assert found["voltage"][0] == [0, 6400, 6000, 5625, 5273]
    assert found["voltage"][1] == [0, -6400, -6000, -5625, -5273]


def test_spikes_arrive_in_the_step_after_they_are_sent():
    # From a line to b, to c; each passes a spike on at once.
    first = make_block(1, "b", weights=[[20]], axons=[axons_to(1, 1)])
    last = make_block(1, "c", weights=[[30]])
    graph = make_graph([first, last], n_lines=1)
    found = read(graph, spikes_at({1: 1}, 5))
    assert found["current"] == [[0, 0, 20, 0, 0], [0, 0, 0, 30, 0]]
    assert found["spiked"] == [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]


def test_what_the_last_step_sends_arrives_in_the_next_run():
    block = make_block(1, "b", weights=[[20]], axons=[axons_to(1, 1)])
    last = make_block(1, "c", weights=[[30]])
    emulator = Emulator(make_graph([block, last], n_lines=1))
    ones, none = spikes_at({0: 1}, 1), silence(1, n_lines=1)
    currents = [emulator.run(x).probes[2][0, 0].tolist() for x in (ones, none, none)]
    assert currents == [[0, 0], [20, 0], [0, 30]]


def test_a_line_takes_several_spikes_in_a_step():
    block = make_block(2, weights=[[7, -3], [1, 1]], vth=2**20)
    lines = silence(2, n_lines=2)
    lines[0, 0] = 3, 1
    found = read(make_graph([block], n_lines=2), lines)
    assert found["current"] == [[0, 3 * 7 + 1], [0, -3 * 3 + 1]]


def test_active_compartments_by_hand():
    # The first has a voltage from the start; the second a current, and so a voltage,
    # after the spike arrives; the third a spike alone, in every other step; the last
    # rests.
    block = make_block(
        4,
        weights=[[0, 4, 0, 0]],
        bias=[1, 0, 6, 0],
        vth=[99, 99, 5, 99],
        decay_v=[0, 4096, 0, 0],
        refract_delay=[1, 1, 2, 1],
    )
    graph = make_graph([block], n_lines=1)
    found = Emulator(graph).run(spikes_at({1: 1}, 5))
    assert found.spikes[0, :, 2].tolist() == [1, 0, 1, 0, 1]
    assert found.active[0, :, 0].tolist() == [2, 1, 3, 1, 2]


@settings(max_examples=30)
@given(
    chunks=st.lists(st.integers(1, 7), min_size=1, max_size=8),
    noise=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_run_is_the_runs_of_its_parts(chunks, noise, seed):
    graph, n_steps = random_graph(seed, noise=noise), sum(chunks)
    lines = random_lines(seed, n_steps)
    whole = Emulator(graph, seed=3).run(lines)
    emulator, parts = Emulator(graph, seed=3), []
    for start, steps in zip(np.cumsum([0, *chunks]), chunks, strict=False):
        assert emulator.n_steps == start
        parts.append(emulator.run(lines[:, start : start + steps]))
    assert emulator.n_steps == n_steps
    for found, wanted in (
        ([p[:2] for p in parts], whole[:2]),
        ([p.probes for p in parts], whole.probes),
    ):
        joined = zip(*found, strict=True)
        assert_same([np.concatenate(arrays, axis=1) for arrays in joined], wanted)


def test_parts_that_are_recorded_together_are_one_record():
    graph, lines = random_graph(), random_lines(1, 9)
    emulator = Emulator(graph)
    record = emulator.new_record(1, 9, bin_steps=2, sample_every=3)
    for start, stop in ((0, 4), (4, 5), (5, 9)):
        emulator.advance(lines[:, start:stop], record)
    together = emulator.read(record)
    whole = Emulator(graph).run(lines)
    assert together.spikes.tolist() == [
        np.add.reduceat(whole.spikes[0], [0, 2, 4, 6, 8]).tolist()
    ]
    assert together.active.tolist() == [
        np.add.reduceat(whole.active[0], [0, 2, 4, 6, 8]).tolist()
    ]
    for found, wanted in zip(together.probes[1:], whole.probes[1:], strict=True):
        assert found.tolist() == wanted[:, 2::3].tolist()


def test_the_compared_graphs_spike():
    for noise in (False, True):
        spikes = Emulator(random_graph(noise=noise), seed=3).run(random_lines(0, 40))
        assert 0.05 < spikes.spikes.mean() < 0.95
        assert (spikes.spikes.sum(axis=1) > 0).mean() > 0.5


def test_a_batch_is_its_samples_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr("nengo_hybrid.emulate.emulator.LEAST_UPDATES", 0)
    graph, lines = random_graph(noise=True), random_lines(2, 30, n_samples=9)
    batch = Emulator(graph, 9, seed=5, n_threads=3).run(lines)
    alone = Emulator(graph, 9, seed=5, n_threads=1).run(lines)
    assert_same(batch[:2], alone[:2])
    assert_same(batch.probes, alone.probes)
    for i in range(9):
        one = Emulator(graph, seed=5).run(lines[i : i + 1])
        assert_same([x[0] for x in one.probes], [x[i] for x in batch.probes])
    assert len(np.unique(batch.spikes, axis=0)) == 9


def test_threads_that_an_interrupt_leaves_keep_their_rooms(monkeypatch):
    monkeypatch.setattr("nengo_hybrid.emulate.emulator.LEAST_UPDATES", 0)
    graph, seen, both = random_graph(), [], threading.Barrier(2, timeout=60)

    def run_samples(program, state, room, *others):
        seen.append(room)
        both.wait()
        if len(seen) == 2 and room is seen[0]:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr("nengo_hybrid.emulate.emulator.run_samples", run_samples)
    emulator = Emulator(graph, 2, seed=0, n_threads=2)
    with pytest.raises(KeyboardInterrupt):
        emulator.run(silence(1, 2, graph.n_lines))
    for _ in range(2):
        emulator.run(silence(1, 2, graph.n_lines))
    left, one, two = ({*map(id, rooms)} for rooms in (seen[:2], seen[2:4], seen[4:]))
    assert one == two
    assert not one & left


def test_short_calls_give_what_one_call_gives(monkeypatch):
    graph, lines = random_graph(noise=True), random_lines(2, 30, n_samples=2)
    whole = Emulator(graph, 2, seed=5, n_threads=1).run(lines)
    # Four steps of 2 * 12 compartments.
    monkeypatch.setattr("nengo_hybrid.emulate.emulator.CALL_UPDATES", 4 * 24)
    emulator = Emulator(graph, 2, seed=5, n_threads=1)
    found = emulator.run(lines)
    assert emulator.n_steps == 30
    assert_same(found[:2], whole[:2])
    assert_same(found.probes, whole.probes)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 130])
def test_a_neuron_does_the_same_wherever_it_stands(n):
    # Compartments are worked on in chunks of 64, the last of which is filled up.
    rng = np.random.default_rng(n)
    changes = {
        "decay_u": rng.integers(0, 4096, n),
        "decay_v": rng.integers(0, 4096, n),
        "vth": rng.integers(50, 200, n),
        "bias": rng.integers(-20, 40, n),
        "refract_delay": rng.integers(1, 4, n),
    }
    weights, lines = rng.integers(-60, 90, (3, n)), random_lines(n, 40, n_lines=3)
    together = make_block(n, weights=weights, axons=[], vmin=-50, **changes)
    all_read = Emulator(make_graph([together], n_lines=3)).run(lines)
    assert all_read.spikes.any()
    for c in {0, n // 2, n - 1, min(63, n - 1), min(64, n - 1)}:
        own = {name: values[c] for name, values in changes.items()}
        alone = make_block(weights=weights[:, c : c + 1], vmin=-50, **own)
        read_alone = Emulator(make_graph([alone], n_lines=3)).run(lines)
        for one, many in zip(read_alone.probes, all_read.probes, strict=True):
            np.testing.assert_array_equal(one[..., 0], many[..., c])


def test_reset_goes_back_to_rest():
    graph, lines = random_graph(noise=True), random_lines(3, 20)
    emulator = Emulator(graph, seed=8)
    first = emulator.run(lines)
    assert (emulator.run(lines).probes[1] != first.probes[1]).any()
    emulator.reset(8)
    assert emulator.n_steps == 0
    again = emulator.run(lines)
    assert_same(again.probes, first.probes)
    assert emulator.n_steps == 20


def test_reset_can_change_the_batch():
    graph, lines = random_graph(noise=True), random_lines(3, 20, n_samples=3)
    emulator = Emulator(graph, 2, seed=8)
    emulator.run(lines[:2])
    emulator.reset(8, n_samples=3)
    assert emulator.n_samples == 3
    assert_same(
        emulator.run(lines).probes, Emulator(graph, 3, seed=8).run(lines).probes
    )
    with pytest.raises(EmulateError, match="at least 1, got 0$"):
        emulator.reset(8, n_samples=0)


def test_without_a_seed_each_run_has_other_noise():
    graph, lines = random_graph(noise=True), random_lines(3, 20)
    emulator = Emulator(graph)
    first, seed = emulator.run(lines), emulator.seed
    emulator.reset()
    assert emulator.seed != seed
    assert (emulator.run(lines).probes[2] != first.probes[2]).any()
    again = Emulator(graph, seed=seed).run(lines)
    assert_same(again.probes, first.probes)


def test_probes_read_the_compartments_they_name_in_their_order():
    graph = random_graph()
    parts = (1, np.array([4, 0])), (0, np.array([6]))
    probes = tuple(Probe(v, v, parts) for v in VARIABLES)
    picked = dataclasses.replace(graph, probes=(*probes, probes[1]))
    lines = random_lines(4, 15)
    whole = Emulator(graph).run(lines).probes
    found = Emulator(picked).run(lines).probes
    # The second block's compartments come behind the 7 of the first.
    assert_same(found[:3], [x[..., [11, 7, 6]] for x in whole])
    np.testing.assert_array_equal(found[3], found[1])


INPUT_WORDS = (
    "population 'b', neuron 1 has an input of 3145728 at sample 0, step 1: more than "
    "the 21 bits and sign of its register{}. Lower the rates, or the weights, of what "
    "feeds it"
)


def overflowing_input():
    # Three spikes of 2**20 on neuron 1: 2**21 + 2**20, of which -2**20 is left.
    return make_graph([make_block(2, weights=[[1, 2**20]])], n_lines=1)


def test_an_input_that_overflows_is_an_error():
    emulator = Emulator(overflowing_input())
    with pytest.raises(EmulateError) as caught:
        emulator.run(spikes_at({0: 3}, 4))
    assert str(caught.value) == INPUT_WORDS.format("")


def test_an_input_that_overflows_wraps_with_a_warning():
    graph = overflowing_input()
    lines = spikes_at({0: 3, 2: 4, 3: 1}, 6)
    with pytest.warns(UserWarning) as caught:
        found = read(graph, lines, on_overflow="warn")
    assert [str(w.message) for w in caught] == [INPUT_WORDS.format(" (2 times in all)")]
    assert found["current"][1] == [0, -(2**20), 0, 0, 2**20, 0]
    assert found["current"][0] == [0, 3, 0, 4, 1, 0]


def test_the_largest_input_does_not_overflow():
    block = make_block(2, weights=[[2**21 - 1, -(2**21)]], vth=2**22)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = make_graph([block], n_lines=1)
        found = read(graph, spikes_at({0: 1}, 2), on_overflow="warn")
    assert found["current"] == [[0, 2**21 - 1], [0, -(2**21)]]


def overflowing_current():
    # A current that keeps 4095 of 4096ths gets two million in each step: 2000000,
    # 3999511, 5998534, 7997069 and, of 24 bits too many, 9995116.
    block = make_block(1, weights=[[2_000_000]], decay_u=0, decay_v=4096, vth=2**23 - 1)
    return make_graph([block], n_lines=1)


def test_a_current_that_overflows():
    lines = spikes_at(dict.fromkeys(range(5), 1), 6)
    message = (
        "population 'b', neuron 0 has a current of 9995116 at sample 0, step 5: more "
        "than the 23 bits and sign of its register{}. Lower the rates, or the weights, "
        "of what feeds it"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(message.format(''))}$"):
        Emulator(overflowing_current()).run(lines)
    with pytest.warns(UserWarning) as caught:
        found = read(overflowing_current(), lines, on_overflow="warn")
    words = [str(w.message) for w in caught]
    assert words == [message.format(" (1 times in all)")]
    series = [0, 2000000, 3999511, 5998534, 7997069, 9995116 - 2**24]
    assert found["current"] == [series]


def test_a_current_with_its_bias_that_overflows():
    block = make_block(1, weights=[[1]], bias=2**23 - 1, decay_v=4096, vth=2**23 - 1)
    graph, lines = make_graph([block], n_lines=1), spikes_at({1: 1}, 4)
    message = (
        "population 'b', neuron 0 has a current with its bias of 8388608 at sample 0, "
        "step 2: more than the 23 bits and sign of its register{}. Lower the rates, or "
        "the weights, of what feeds it"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(message.format(''))}$"):
        Emulator(graph).run(lines)
    with pytest.warns(UserWarning) as caught:
        found = read(graph, lines, on_overflow="warn")
    words = [str(w.message) for w in caught]
    assert words == [message.format(" (1 times in all)")]
    most = 2**23 - 1
    assert found["voltage"] == [[most, most, -(2**23), most]]
    assert found["current"] == [[0, 0, 1, 0]]


def test_overflows_warn_once_a_block_and_register():
    # Two samples, in each of which two neurons of both blocks overflow, in two steps.
    weights = [[2**20, 2**20, 1]]
    first = make_block(3, "b", weights=weights, vth=2**22)
    second = make_block(3, "c", weights=weights, vth=2**22)
    graph = make_graph([first, second], n_lines=1)
    both = SpikeInput("x", "x", 1, (axons_to(0, 1), axons_to(1, 1)))
    graph = dataclasses.replace(graph, inputs=(both,))
    lines = np.concatenate([spikes_at({1: 2, 3: 3}, 6), spikes_at({0: 2, 2: 2}, 6)])
    with pytest.warns(UserWarning) as caught:
        Emulator(graph, 2, on_overflow="warn").run(lines)
    words = [str(w.message).partition(": ")[0] for w in caught]
    assert words == [
        f"population {name!r}, neuron 0 has an input of 2097152 at sample 1, step 1"
        for name in "bc"
    ]


def test_the_first_overflow_of_any_sample_is_the_error():
    graph = make_graph([make_block(2, weights=[[1, 2**20]])], n_lines=1)
    lines = np.concatenate([spikes_at({2: 5}, 5), spikes_at({1: 7}, 5)])
    with pytest.raises(EmulateError, match="input of 7340032 at sample 1, step 2:"):
        Emulator(graph, 2).run(lines)


def test_overflows_of_later_runs_name_the_step_since_the_start():
    emulator = Emulator(overflowing_input())
    emulator.run(silence(10, n_lines=1))
    with pytest.raises(EmulateError, match="at sample 0, step 11: "):
        emulator.run(spikes_at({0: 3}, 4))


def test_a_record_without_overflows_warns_of_nothing():
    emulator = Emulator(overflowing_input(), on_overflow="warn")
    with pytest.warns(UserWarning):
        emulator.run(spikes_at({0: 3}, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emulator.run(spikes_at({0: 1}, 4))


@pytest.mark.parametrize(
    "lines, words",
    [
        (silence(3, n_lines=2), "(1, 3, 2)"),
        (silence(3, n_samples=2, n_lines=1), "(2, 3, 1)"),
        (silence(3, n_lines=1)[0], "(3, 1)"),
        ([[[0]]], "None"),
        (None, "None"),
    ],
)
def test_lines_of_another_shape_are_refused(lines, words):
    with pytest.raises(ShapeError) as caught:
        Emulator(overflowing_input()).run(lines)
    assert str(caught.value) == (
        "lines need the shape (1, n_steps, 1): samples, steps and lines of the graph's "
        f"inputs; got {words}"
    )


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, bool, np.uint16])
def test_lines_of_another_type_are_refused(dtype):
    words = f"^lines need spike counts in int16, got {np.dtype(dtype)}$"
    with pytest.raises(ShapeError, match=words):
        Emulator(overflowing_input()).run(silence(3, n_lines=1).astype(dtype))


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, 2.0, True, False, "2", None])
def test_a_batch_needs_a_whole_number(n_samples):
    with pytest.raises(EmulateError) as caught:
        Emulator(overflowing_input(), n_samples)
    assert str(caught.value) == (
        f"a batch needs a whole number of samples, at least 1, got {n_samples!r}"
    )


def test_a_batch_may_be_numpys_number():
    emulator = Emulator(overflowing_input(), np.int64(2))
    found = emulator.run(silence(3, n_samples=2, n_lines=1))
    assert found.spikes.shape == (2, 3, 2)


def test_a_graph_that_learns_needs_a_batch_of_one():
    block = make_block(2, weights=[[1, 1]])
    rule = Learning(1, 0, 0, 0, 10, 1.0, 1, 1, 1.0)
    learning = dataclasses.replace(block.synapses[0], learning=rule)
    block = dataclasses.replace(block, synapses=(learning,))
    graph = make_graph([block], n_lines=1)
    with pytest.raises(EmulateError) as caught:
        Emulator(graph, 2)
    assert str(caught.value) == (
        "the network learns on the chip, so its samples share weights and run one "
        "after the other; it needs a batch of 1, got 2"
    )
    assert Emulator(graph, 1).run(silence(3, n_lines=1)).spikes.shape == (1, 3, 2)


@pytest.mark.parametrize("on_overflow", ["x", "", None, True])
def test_on_overflow_is_raise_or_warn(on_overflow):
    with pytest.raises(EmulateError) as caught:
        Emulator(overflowing_input(), on_overflow=on_overflow)
    assert str(caught.value) == (
        f"on_overflow has to be one of raise, warn, got {on_overflow!r}"
    )


def test_a_run_of_no_steps_changes_nothing():
    graph, lines = random_graph(), random_lines(5, 12)
    emulator = Emulator(graph)
    emulator.run(lines[:, :6])
    empty = emulator.run(lines[:, :0])
    assert empty.spikes.shape == (1, 0, 12)
    assert [x.shape for x in empty.probes] == 3 * [(1, 0, 12)]
    whole = Emulator(graph).run(lines)
    assert_same(emulator.run(lines[:, 6:]).probes, [x[:, 6:] for x in whole.probes])


def test_negative_counts_are_refused():
    with pytest.raises(ShapeError, match="^lines need counts of at least 0, got -3$"):
        Emulator(overflowing_input()).run(silence(3, n_lines=1) - np.int16(3))


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, True])
def test_threads_are_counted_in_whole_numbers(n_threads):
    words = f"^n_threads has to be a whole number, at least 1, got {n_threads!r}$"
    with pytest.raises(EmulateError, match=words):
        Emulator(overflowing_input(), n_threads=n_threads)


def test_a_record_needs_room():
    emulator = Emulator(overflowing_input())
    with pytest.raises(ShapeError) as caught:
        emulator.advance(silence(3, n_lines=1), emulator.new_record(1, 2))
    assert str(caught.value) == (
        "1 samples of 3 steps need room in the record, which has it for 1 of 2; make a "
        "new record"
    )


def test_a_probe_of_scattered_neurons_keeps_the_order_of_axes():
    graph = random_graph()
    scattered = dataclasses.replace(
        graph, probes=(Probe("some", "spiked", ((0, np.array([4, 0, 6])),)),)
    )
    emulator = Emulator(scattered)
    record = emulator.new_record(1, 9)
    emulator.advance(random_lines(0, 9), record)
    some = emulator.read_probe(record, 0, 0, slice(9))
    np.testing.assert_array_equal(some, record.spikes[0][:, [4, 0, 6]])


@pytest.mark.parametrize("parts", [((1, np.array([4, 0])), (0, np.array([6]))), ()])
@pytest.mark.parametrize("bin_steps", [1, 4, 200])
def test_a_record_of_what_is_probed_alone_sums_up_the_rest(parts, bin_steps):
    graph = random_graph()
    probes = tuple(Probe(v, v, parts) for v in VARIABLES) if parts else ()
    emulator = Emulator(dataclasses.replace(graph, probes=probes), 3)
    lines = random_lines(4, 15, n_samples=3)
    bins = {"bin_steps": bin_steps}
    whole, few = (
        emulator.new_record(3, 15, only_probed=only, **bins) for only in (False, True)
    )
    for record in (whole, few):
        emulator.reset(0)
        emulator.advance(lines[:, :7], record)
        emulator.advance(lines[:, 7:], record)
    assert_same(emulator.read(few).probes, emulator.read(whole).probes)
    np.testing.assert_array_equal(emulator.read_sums(few), whole.spikes.sum(1))
    assert emulator.read_sums(few).any() and few.spikes.shape[2] == (3 if parts else 0)
    np.testing.assert_array_equal(few.active, whole.active)


def test_the_first_overflow_of_a_step_is_the_lowest_neurons():
    # Neuron 2 has the sources of 0, beside which it stands, before 1.
    block = make_block(3, weights=[[1, 0, 2**22], [0, 2**22, 0]])
    scattered = dataclasses.replace(
        block.synapses[0],
        weights=(np.array([[2**22, 1]]), np.array([[2**22]])),
        indices=(np.array([[2, 0]]), np.array([[1]])),
    )
    graph = make_graph([dataclasses.replace(block, synapses=(scattered,))], n_lines=2)
    lines = silence(3, n_lines=2)
    lines[0, 0] = 1
    with pytest.raises(EmulateError, match="neuron 1 has an input of 4194304 at sam"):
        Emulator(graph).run(lines)


@pytest.mark.parametrize("sign", [1, -1])
def test_currents_are_truncated_where_rounding_would_differ(sign):
    # 8384513 * 4095 / 4096 is 8382465.9998; the nearest float is 8382466.
    block = make_block(
        1,
        weights=[[sign * 2_000_000], [sign * 389_397]],
        decay_u=0,
        decay_v=4096,
        vth=2**23 - 1,
    )
    lines = silence(7, n_lines=2)
    lines[0, :4, 0] = lines[0, 4, 1] = 1
    series = [0, 2000000, 3999511, 5998534, 7997069, 8384513, 8382465]
    found = read(make_graph([block], n_lines=2), lines)
    assert found["current"] == [[sign * x for x in series]]


def test_voltages_far_below_zero_decay_exactly():
    # Of -inf NengoLoihi makes 31 bits and sign; floats would cut their lowest.
    block = make_block(1, bias=-8_000_001, decay_v=1, vmin=-(2**31) + 1, vth=2**23 - 1)
    series = [0]
    for _ in range(40):
        series.append(-(-series[-1] * 4095 // 4096) - 8_000_001)
    found = read(make_graph([block], n_lines=0), silence(40))
    assert found["voltage"] == [series[1:]]


def test_floats_are_rounded_as_before():
    def seventh():
        return np.float32(1) / np.float32(7), 1 / np.arange(1, 9)

    before = seventh()
    read(overflowing_current(), silence(3, n_lines=1))
    assert_same(seventh(), before)
    with pytest.raises(EmulateError):
        Emulator(overflowing_input()).run(spikes_at({0: 3}, 4))
    assert_same(seventh(), before)


@pytest.mark.parametrize("share", [0, 1])
def test_empty_slots_stay_at_rest(share):
    # One compartment in 16 slots; at a threshold below 0 all of them would spike.
    values = {"vth": -5 if share else 5, "vmin": -9, "vmax": 9}
    graph = make_graph([make_block(1, **values)])
    found = Emulator(graph).run(silence(4))
    assert found.spikes[0].ravel().tolist() == 4 * [share]
    assert found.active[0].ravel().tolist() == 4 * [share]


def test_a_graph_of_empty_blocks_runs():
    empty = make_block(0)
    found = Emulator(make_graph([empty]), 2).run(silence(3, n_samples=2))
    assert found.spikes.shape == (2, 3, 0)
    assert not found.active.any()
