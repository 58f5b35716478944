"""`LoihiSimulator` as a tool: its arguments, its states, the words of its errors."""

import gc
import importlib.metadata
import inspect
import pathlib
import re
import runpy
import warnings

import nengo
import nengo_loihi
import numpy as np
import pytest
import setuptools
from nengo.exceptions import (
    BuildError,
    ReadonlyError,
    SimulationError,
    SimulatorClosed,
    ValidationError,
)
from nengo_loihi.builder import Model

import nengo_hybrid as nh
from nengo_hybrid import LoihiSimulator, lower
from nengo_hybrid.exceptions import EmulateError, LowerError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def make_net(*, function=None, noise=False):
    """Return a node onto an ensemble on the chip, whose value a host node gets."""
    with nengo.Network(seed=3) as net:
        output = function or (lambda t: np.sin(50 * t))
        if noise:
            output = nengo.processes.WhiteNoise(seed=None)
        net.stimulus = nengo.Node(output, size_out=1)
        net.neurons = nengo.Ensemble(15, 1, label="neurons")
        net.listener = nengo.Node(lambda t, x: 2 * x, size_in=1)
        nengo.Connection(net.stimulus, net.neurons)
        nengo.Connection(net.neurons, net.listener)
        net.value = nengo.Probe(net.neurons, synapse=0.01)
        net.spikes = nengo.Probe(net.neurons.neurons)
        net.heard = nengo.Probe(net.listener)
        net.given = nengo.Probe(net.stimulus)
    return net


def probed(sim):
    """Return what all probes recorded, in their order."""
    return [np.array(sim.data[p]) for p in sim.network.all_probes]


def assert_same(one, other):
    for found, wanted in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_arguments_are_those_of_nengo_loihi():
    ours = inspect.signature(LoihiSimulator).parameters
    theirs = inspect.signature(nengo_loihi.Simulator).parameters
    positional = [p for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in positional] == list(theirs)
    assert [p.default for p in positional] == [p.default for p in theirs.values()]
    own = {p.name for p in ours.values() if p.kind is p.KEYWORD_ONLY}
    assert own == {"minibatch_size", "on_overflow", "counts_only", "n_threads"}


def test_methods_are_those_of_nengo_loihi():
    theirs = {n for n in vars(nengo_loihi.Simulator) if not n.startswith("_")}
    assert theirs <= set(vars(LoihiSimulator))


@pytest.mark.parametrize("target", ["loihi", "simreal", "SIM", ""])
def test_other_targets_are_refused(target):
    with pytest.raises(ValidationError) as caught:
        LoihiSimulator(make_net(), target=target)
    assert str(caught.value) == (
        f"target: must be 'sim' or None, got {target!r}; NengoLoihi's own simulator "
        "runs boards ('loihi') and networks in floats ('simreal')"
    )


def test_both_names_of_the_target_are_taken():
    for target in (None, "sim"):
        with LoihiSimulator(make_net(), target=target) as sim:
            assert not sim.closed


@pytest.mark.parametrize("size", [0, -1, 1.5, 2.0, True, False, "2"])
def test_a_minibatch_has_a_whole_number_of_samples(size):
    with pytest.raises(ValidationError) as caught:
        LoihiSimulator(make_net(), minibatch_size=size)
    assert str(caught.value) == (
        f"minibatch_size: must be a whole number of at least 1, or None, got {size!r}"
    )


def test_a_simulator_needs_a_network():
    with pytest.raises(ValidationError) as caught:
        LoihiSimulator(None)
    assert str(caught.value) == "network: network parameter must not be None"


def test_a_simulator_that_was_refused_is_silent_when_dropped():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValidationError):
            LoihiSimulator(make_net(), target="loihi")
        gc.collect()


def test_a_network_without_anything_on_the_chip_is_refused():
    with nengo.Network() as net:
        nengo.Node(0)
    with pytest.raises(BuildError, match="^No neurons marked for execution on-chip"):
        LoihiSimulator(net)


def test_a_network_that_learns_is_refused_in_a_batch():
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(10, 1), nengo.Node(size_in=1)
        learned = nengo.Connection(
            pre, post, learning_rule_type=nengo.PES(), function=lambda x: 0
        )
        nengo.Connection(post, learned.learning_rule)
    words = "^the network learns on the chip, .*; it needs a batch of 1, got 2$"
    with pytest.raises(EmulateError, match=words):
        LoihiSimulator(net, minibatch_size=2)


def test_a_model_with_options_is_built_into():
    model = Model(dt=0.002)
    with LoihiSimulator(make_net(), dt=0.002, model=model) as sim:
        assert sim.model is model and sim.dt == 0.002
    with pytest.raises(LowerError, match="with dt=0.001, got .* with dt=0.002$"):
        LoihiSimulator(make_net(), dt=0.001, model=Model(dt=0.002))


@pytest.mark.parametrize("seconds", [-1, -1e-9, float("nan"), float("inf")])
def test_a_run_takes_a_positive_time(seconds):
    with LoihiSimulator(make_net()) as sim:
        with pytest.raises(ValidationError) as caught:
            sim.run(seconds)
        assert sim.n_steps == 0
    assert str(caught.value) == (
        f"time_in_seconds: must be positive, in seconds; got {seconds}"
    )


def test_a_run_of_no_steps_changes_nothing():
    with LoihiSimulator(make_net()) as sim:
        sim.run_steps(0)
        sim.run_steps(2)
        sim.run_steps(0)
        assert sim.n_steps == 2
        assert [len(x) for x in probed(sim)] == [2] * 4


@pytest.mark.parametrize("steps", [1.5, 2.0, -1, True, "3", None])
def test_a_run_takes_a_whole_number_of_steps(steps):
    with LoihiSimulator(make_net()) as sim:
        with pytest.raises(EmulateError, match="^steps has to be a whole number, at "):
            sim.run_steps(steps)
        assert sim.n_steps == 0


def test_a_time_is_rounded_to_whole_steps():
    with LoihiSimulator(make_net()) as sim:
        sim.run(0.0026)
        assert sim.n_steps == 3
        assert sim.time == pytest.approx(0.003)
        with pytest.warns(UserWarning) as caught:
            sim.run(0.0004)
        assert [str(w.message) for w in caught] == [
            "0.0004 results in running for 0 timesteps. Simulator still at time 0.003."
        ]
        sim.step()
        assert sim.n_steps == 4
        assert [len(x) for x in probed(sim)] == [4] * 4


def test_what_probes_cannot_keep_is_refused(monkeypatch):
    where = "nengo_hybrid.simulator.simulator.free_bytes"
    with LoihiSimulator(make_net()) as sim:
        # The spikes of 15 neurons and three values of 8 bytes in each step.
        monkeypatch.setattr(where, lambda: 144 * 6 + 100)
        with pytest.raises(EmulateError) as caught:
            sim.run_steps(20)
        assert str(caught.value) == (
            "the probes record 2,880 bytes in 20 steps, of which 964 are free; 6 steps "
            "fit. Give probes a sample_every, or name them in counts_only"
        )
        assert sim.n_steps == 0
        sim.run_steps(6)
        assert sim.n_steps == 6
    with (
        LoihiSimulator(make_net(), minibatch_size=2) as sim,
        pytest.raises(EmulateError, match=" are free; 3 steps fit. "),
    ):
        sim.run_steps(4)
    net = make_net()
    with LoihiSimulator(net, counts_only=[net.spikes]) as sim:
        sim.run_steps(20)
    net.spikes.sample_every = net.value.sample_every = 0.01
    with LoihiSimulator(net) as sim:
        sim.run_steps(20)


def test_trange_gives_the_times_of_what_was_recorded():
    with LoihiSimulator(make_net(), dt=0.002) as sim:
        sim.run_steps(6)
        np.testing.assert_allclose(sim.trange(), 0.002 * np.arange(1, 7))
        np.testing.assert_allclose(sim.trange(sample_every=0.006), [0.006, 0.012])
        with pytest.raises(ValidationError, match="is now sample_every$"):
            sim.trange(dt=0.002)
        with pytest.raises(ReadonlyError, match="dt is read-only"):
            sim.dt = 0.001


def test_parts_of_a_run_are_the_run():
    with LoihiSimulator(make_net()) as sim, LoihiSimulator(make_net()) as parts:
        sim.run_steps(20)
        for steps in (1, 7, 12):
            parts.run_steps(steps)
        assert_same(probed(parts), probed(sim))
        assert sim.data[sim.network.spikes].any()


def test_what_is_kept_at_once_makes_no_difference(monkeypatch):
    with LoihiSimulator(make_net()) as sim:
        sim.run_steps(20)
        whole, trace = probed(sim), sim.trace
    room = 3 * sim.graph.n_compartments
    monkeypatch.setattr("nengo_hybrid.simulator.simulator.KEPT_VALUES", room)
    with LoihiSimulator(make_net()) as sim:
        sim.run_steps(20)
        assert_same(probed(sim), whole)
        # Those without a label are named anew in each simulator.
        populations = sim.trace.populations.values(), trace.populations.values()
        for population, other in zip(*populations, strict=True):
            np.testing.assert_array_equal(population.spikes, other.spikes)
            np.testing.assert_array_equal(
                population.updates_active, other.updates_active
            )


@pytest.mark.parametrize("precompute", [None, False])
def test_reset_is_as_good_as_new(precompute):
    net = make_net(noise=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = LoihiSimulator(net, seed=5, precompute=precompute)
        new = LoihiSimulator(net, seed=9, precompute=precompute)
    with sim, new:
        sim.run_steps(15)
        first, counts = probed(sim), sim.trace.populations
        sim.reset()
        assert sim.n_steps == 0 and sim.time == 0
        assert [x.size for x in probed(sim)] == [0] * 4
        assert not any(p.spikes.any() for p in sim.trace.populations.values())
        sim.run_steps(15)
        assert_same(probed(sim), first)
        for name, population in sim.trace.populations.items():
            np.testing.assert_array_equal(population.spikes, counts[name].spikes)
        sim.reset(seed=9)
        assert sim.seed == 9
        sim.run_steps(15)
        new.run_steps(15)
        assert_same(probed(sim), probed(new))
        assert (probed(new)[-1] != first[-1]).any()


def test_without_a_seed_it_is_the_networks_plus_one():
    with LoihiSimulator(make_net()) as sim:
        assert sim.seed == 4
    net = make_net()
    net.seed = None
    with LoihiSimulator(net) as one, LoihiSimulator(net) as other:
        assert one.seed != other.seed
    with LoihiSimulator(make_net(), seed=0) as sim:
        assert sim.seed == 0


def test_clear_probes_forgets_and_goes_on():
    with LoihiSimulator(make_net()) as sim, LoihiSimulator(make_net()) as whole:
        whole.run_steps(12)
        sim.run_steps(5)
        sim.clear_probes()
        assert [x.size for x in probed(sim)] == [0] * 4
        sim.run_steps(7)
        assert sim.n_steps == 12
        assert_same(probed(sim), [x[5:] for x in probed(whole)])


def test_a_closed_simulator_is_readable_and_does_not_run():
    with LoihiSimulator(make_net()) as sim:
        sim.run_steps(3)
        before = probed(sim)
    assert sim.closed
    assert_same(probed(sim), before)
    assert sim.n_steps == 3
    assert len(sim.trange()) == 3
    assert sim.trace.n_steps == 3
    words = "^Simulator cannot run because it is closed.$"
    for run in (sim.step, lambda: sim.run(0.1), lambda: sim.run_steps(2)):
        with pytest.raises(SimulatorClosed, match=words):
            run()
    with pytest.raises(SimulatorClosed, match="^Cannot reset closed Simulator.$"):
        sim.reset()
    sim.close()


def test_a_simulator_that_is_dropped_open_warns():
    sim = LoihiSimulator(make_net())
    model = str(sim.model)
    with pytest.warns(ResourceWarning) as caught:
        del sim
        gc.collect()
    words = (
        f"Simulator with model={model} was deallocated while open. Please close "
        "simulators manually to ensure resources are properly freed."
    )
    assert words in [str(w.message) for w in caught]


def test_a_simulator_that_is_closed_is_dropped_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with LoihiSimulator(make_net()) as sim:
            sim.step()
        del sim
        gc.collect()


def stopping(at):
    """Return the function of a node that stops once, in a step."""
    left = [1]

    def function(t):
        if round(t / 0.001) == at and left:
            left.pop()
            raise KeyboardInterrupt
        return np.sin(50 * t)

    return function


@pytest.mark.parametrize("n_before", [0, 4])
def test_an_interrupt_leaves_what_was_run(n_before):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = LoihiSimulator(make_net(), precompute=False)
        sim = LoihiSimulator(make_net(function=stopping(11)), precompute=False)
    with whole, sim:
        whole.run_steps(20)
        if n_before:
            sim.run_steps(n_before)
        with pytest.raises(KeyboardInterrupt):
            sim.run_steps(20 - n_before)
        assert sim.n_steps == 10
        assert sim.time == pytest.approx(0.01)
        assert len(sim.trange()) == 10
        assert_same(probed(sim), [x[:10] for x in probed(whole)])
        spikes = sim.data[sim.network.spikes]
        counts = sim.trace.populations[sim.graph.blocks[0].population].spikes
        assert counts[0, 0].tolist() == (spikes > 0).sum(axis=0).tolist()
        words = (
            "^the last run stopped halfway through a step; reset the simulator first$"
        )
        with pytest.raises(SimulationError, match=words):
            sim.run_steps(1)
        with pytest.raises(SimulationError, match=words):
            sim.step()
        assert sim.n_steps == 10
        sim.reset()
        sim.run_steps(20)
        assert_same(probed(sim), probed(whole))


def test_an_interrupt_ahead_of_the_chip_leaves_nothing_of_that_run():
    with LoihiSimulator(make_net(function=stopping(11))) as sim:
        assert sim.precompute
        sim.run_steps(4)
        with pytest.raises(KeyboardInterrupt):
            sim.run_steps(16)
        assert sim.n_steps == 4
        assert [len(x) for x in probed(sim)] == [4] * 4
        with pytest.raises(SimulationError, match="; reset the simulator first$"):
            sim.step()


def test_an_error_of_a_node_is_passed_on():
    def fail(t):
        raise RuntimeError("no more")

    with LoihiSimulator(make_net(function=lambda t: 0.0)) as sim:
        sim.run_steps(2)
    with pytest.raises(RuntimeError, match="^no more$"):
        LoihiSimulator(make_net(function=fail)).run_steps(1)


def overflowing_net():
    with nengo.Network(seed=0) as net:
        neurons = nengo.Ensemble(5, 1, gain=np.ones(5), bias=np.ones(5) * 2)
        loud = nengo.Ensemble(5, 1, gain=np.ones(5), bias=np.zeros(5))
        net.stimulus = nengo.Node([0])
        nengo.Connection(net.stimulus, neurons.neurons, transform=np.ones((5, 1)))
        weights = np.eye(5) * 0.05
        nengo.Connection(neurons.neurons, loud.neurons, transform=weights, synapse=0.5)
        net.spikes = nengo.Probe(neurons.neurons)
    return net


def shrink_registers(monkeypatch):
    """Let every block have a bias that no current fits beside."""

    def read(model):
        graph = lower.read_chip(model)
        for block in graph.blocks:
            block.bias[:] = 2**23 - 1
        return graph

    monkeypatch.setattr("nengo_hybrid.simulator.chip.read_chip", read)


@pytest.mark.parametrize("precompute", [True, False])
def test_overflows_warn_once_a_run(monkeypatch, precompute):
    shrink_registers(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = LoihiSimulator(overflowing_net(), precompute=precompute)
    with sim, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sim.run_steps(30)
        words = [str(w.message) for w in caught]
        told = [w.partition(" of ")[0] for w in words if "register" in w]
        assert told and len(told) == len(set(told))
        assert all("a current with its bias" in w for w in told)
        assert re.search(r"its register \(\d\d+ times in all\)\. Lower", words[0])
        assert sim.n_steps == 30


@pytest.mark.parametrize("precompute", [True, False])
def test_overflows_raise_if_asked_to(monkeypatch, precompute):
    shrink_registers(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = LoihiSimulator(
            overflowing_net(), precompute=precompute, on_overflow="raise"
        )
    with sim, warnings.catch_warnings():
        warnings.simplefilter("error")  # an error needs no warning beside it
        with pytest.raises(EmulateError, match="has a current with its bias of "):
            sim.run_steps(30)
        with pytest.raises(SimulationError, match="; reset the simulator first$"):
            sim.step()


def test_on_overflow_is_warn_or_raise():
    with pytest.raises(EmulateError, match="^on_overflow has to be one of raise, warn"):
        LoihiSimulator(make_net(), on_overflow="ignore")


def test_precompute_false_warns_where_it_is_not_needed():
    words = "Model is precomputable. Setting precompute=False may slow execution."
    with pytest.warns(UserWarning) as caught:
        sim = LoihiSimulator(make_net(), precompute=False)
    assert words in [str(w.message) for w in caught]
    sim.close()
    assert sim.precompute is False


def test_progress_is_silent_unless_asked_for(capsys):
    with LoihiSimulator(make_net()) as sim:
        sim.run_steps(5)
        sim.run(0.002, progress_bar=False)
    assert capsys.readouterr() == ("", "")


class Bar(nengo.utils.progress.ProgressBar):
    """Notes what it is told."""

    def __init__(self):
        self.told, self.closed = [], 0

    def update(self, progress):
        self.told.append((progress.n_steps, progress.max_steps))

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("precompute", [None, False])
def test_progress_is_told_to_a_bar(precompute):
    bar = Bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = LoihiSimulator(make_net(), precompute=precompute, progress_bar=bar)
    with sim:
        sim.run_steps(7)
        assert bar.told[-1] == (7, 7) and bar.closed == 1
        other = Bar()
        sim.run_steps(4, progress_bar=other)
        assert other.told[-1] == (4, 4) and bar.closed == 1


def test_progress_can_be_drawn(capsys):
    with LoihiSimulator(make_net(), progress_bar=True) as sim:
        sim.run_steps(5)
    assert "Simulation finished" in "".join(capsys.readouterr())


@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_the_trace_counts_what_was_probed(minibatch_size):
    with LoihiSimulator(make_net(), minibatch_size=minibatch_size) as sim:
        for steps in (9, 21):
            sim.run_steps(steps)
        spikes = np.array(sim.data[sim.network.spikes]) > 0
        trace = sim.trace
    n_samples = minibatch_size or 1
    assert (trace.n_samples, trace.n_steps, trace.n_bins) == (n_samples, 30, 1)
    assert trace.bin_steps == 30
    found = trace.populations[sim.graph.blocks[0].population]
    spikes = spikes.reshape(n_samples, 30, 15)
    np.testing.assert_array_equal(found.spikes[:, 0], spikes.sum(axis=1))
    assert spikes.any()
    updates = found.updates_active + found.updates_inactive
    assert updates.tolist() == [[30 * 15]] * n_samples
    assert found.updates_active.min() > 0
    injected = [p for p in trace.populations.values() if not p.on_chip]
    assert injected and all(p.spikes.any() for p in injected)
    ops = sum(p.synaptic_ops.sum() for p in injected)
    per_spike = [int((p.spikes[:, 0] @ p.fan_out).sum()) for p in injected]
    assert ops == sum(per_spike) > 0


def test_a_new_simulator_has_a_trace_of_nothing():
    with LoihiSimulator(make_net()) as sim:
        trace = sim.trace
    assert trace.n_steps == 0
    assert not any(p.spikes.any() for p in trace.populations.values())
    assert not any(p.updates_inactive.any() for p in trace.populations.values())


def test_it_is_found_as_a_backend_of_nengo(monkeypatch):
    asked = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: asked.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    (entry,) = asked["entry_points"]["nengo.backends"]
    name, _, value = entry.partition(" = ")
    assert name == "loihi-hybrid"
    point = importlib.metadata.EntryPoint(name, value, "nengo.backends")
    assert point.load() is LoihiSimulator is nh.LoihiSimulator


def test_an_installation_offers_the_backend():
    try:
        installed = importlib.metadata.distribution("nengo-hybrid").entry_points
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nengo-hybrid is not installed")
    names = {e.name for e in installed.select(group="nengo.backends")}
    if not names:
        pytest.skip("the nengo-hybrid that is installed is older")
    assert names == {"loihi-hybrid"}
