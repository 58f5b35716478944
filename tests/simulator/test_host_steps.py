"""Compiled steps of the host: Nengo's own bits, and Nengo's own words."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Reset
from nengo.builder.processes import SimProcess

from nengo_hybrid.simulator.host_steps import compiled

CURRENTS = st.floats(-1e4, 1e6) | st.sampled_from([0.0, -0.0, 1e-320, 999.9999999])


def fire(start=0.0, kind=nengo.SpikingRectifiedLinear):
    """Return a neuron type whose voltages start somewhere."""
    state = {"voltage": nengo.dists.Choice([start])}
    return kind(amplitude=0.3, initial_state=state)


def make_net(values, *, neuron_type=None, synapse=None, gain=1.0):
    """Return neurons that values drive, filtered, onto what adds two filters up."""
    values = np.atleast_2d(values)
    n = values.shape[1]
    neuron_type = neuron_type or fire()
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: values[round(t / 0.001) - 1], size_out=n)
        plain = {"gain": np.full(n, gain), "bias": np.zeros(n)}
        net.neurons = nengo.Ensemble(n, 1, neuron_type=neuron_type, **plain).neurons
        end = nengo.Node(size_in=n)
        nengo.Connection(node, net.neurons, synapse=None)
        nengo.Connection(net.neurons, end, synapse=synapse or nengo.Lowpass(0.005))
        nengo.Connection(node, end, synapse=nengo.Lowpass(0.1))
        net.recorded = [nengo.Probe(net.neurons), nengo.Probe(end)]
        net.recorded += [nengo.Probe(net.neurons, "voltage")]
    return net


def run(net, n_steps, *, compile_steps):
    """Return what probes record, and how many steps were compiled."""
    with nengo.Simulator(net, progress_bar=False, optimize=False) as sim:
        pairs = list(zip(sim._step_order, sim._steps, strict=True))
        if compile_steps:
            sim._steps[:] = [compiled(sim, op, step) for op, step in pairs]
        n_compiled = sum(
            new is not old for new, (_, old) in zip(sim._steps, pairs, strict=True)
        )
        sim.run_steps(n_steps)
        return [sim.data[probe] for probe in net.recorded], n_compiled


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(CURRENTS, CURRENTS, CURRENTS), min_size=1, max_size=6))
def test_they_give_the_bits_of_nengos_own(values):
    expected, _ = run(make_net(values), len(values), compile_steps=False)
    found, n_compiled = run(make_net(values), len(values), compile_steps=True)
    # The clock, the neurons and two filters.
    assert n_compiled == 4
    for a, b in zip(expected, found, strict=True):
        assert a.tobytes() == b.tobytes()


def test_two_spikes_and_a_half_by_hand():
    net = make_net([[2500.0, 400.0]] * 2)
    (spikes, _, voltages), _ = run(net, 2, compile_steps=True)
    # 2.5 and 0.4 a step; with dt 0.001 a spike is 0.3 / dt high.
    np.testing.assert_allclose(spikes, [[600, 0], [900, 0]])
    np.testing.assert_allclose(voltages, [[0.5, 0.4], [0, 0.8]])


@pytest.mark.parametrize(
    ("value", "start"),
    [(1e300, 0.0), (-1e300, 0.0), (1.0, np.inf)],
    ids=["inf", "-inf", "from the start"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_what_is_not_finite_is_nengos_to_judge(value, start):
    def outcome(compile_steps):
        values = [[1.0, 2.0], [3.0, value], [1.0, 2.0]]
        net = make_net(values, neuron_type=fire(start), gain=1e100)
        try:
            return run(net, 3, compile_steps=compile_steps)[0]
        except FloatingPointError as error:
            return str(error)

    expected, found = outcome(False), outcome(True)
    if isinstance(expected, str):
        assert found == expected == "invalid value encountered in subtract"
        assert value > 0
    else:
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    "options",
    [{"neuron_type": nengo.LIF()}, {"synapse": nengo.Alpha(0.1)}],
    ids=["LIF", "Alpha"],
)
def test_the_rest_stays_nengos(options):
    net = make_net(np.ones((3, 2)), **options)
    _, n_compiled = run(net, 3, compile_steps=True)
    assert n_compiled == 3


def test_a_subclass_has_a_step_of_its_own():
    class Louder(nengo.SpikingRectifiedLinear):
        def step(self, dt, J, output, voltage):
            super().step(dt, J, output, voltage)
            output *= 2

    net = make_net([[2500.0, 400.0]], neuron_type=fire(kind=Louder))
    (spikes, *_), _ = run(net, 1, compile_steps=True)
    np.testing.assert_allclose(spikes, [[1200, 0]])


def test_operators_without_a_faster_step_keep_theirs():
    kinds = set()
    with nengo.Simulator(make_net(np.ones((2, 2))), progress_bar=False) as sim:
        for op, step in zip(sim._step_order, sim._steps, strict=True):
            if compiled(sim, op, step) is not step:
                kinds.add(type(op))
    assert {SimNeurons, SimProcess} <= kinds and Reset not in kinds
