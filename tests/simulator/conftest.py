"""How our emulator and simulator are compared with NengoLoihi's: bit for bit."""

import warnings
from types import SimpleNamespace

import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

from nengo_hybrid import LoihiSimulator
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.lower import read_chip

KEYS = ("spiked", "voltage", "current")
# What NengoLoihi calls the registers that overflow, and what we call them.
REGISTERS = (
    ("q0", "an input"),
    ("current", "a current"),
    ("u2", "a current with its bias"),
)


def _assert_identical(found, wanted, what):
    assert found.dtype == wanted.dtype, f"{what}: {found.dtype}, not {wanted.dtype}"
    np.testing.assert_array_equal(found, wanted, err_msg=what, strict=True)


def _graph_of(model):
    """Probe all compartments of a chip model, and read it."""
    for key in KEYS:
        model.add_probe(LoihiProbe(target=list(model.blocks), key=key))
    return read_chip(model)


def _lines_of(model, n_steps):
    """Return the spikes of all inputs of a model as an emulator takes them."""
    inputs = [np.zeros((1, n_steps, 0), np.int16)]
    for lines in model.inputs:
        counts = np.zeros((1, n_steps, lines.n_neurons), np.int16)
        for step, spikes in lines.spikes.items():
            if step <= n_steps:
                np.add.at(counts[0, step - 1], np.asarray(spikes, dtype=int), 1)
        inputs.append(counts)
    return np.concatenate(inputs, axis=2)


def _run_theirs(model, n_steps, seed, errors):
    """Run NengoLoihi's emulator; return by key what each step left."""
    with EmulatorInterface(model, seed=seed) as emulator:
        if errors is None:
            emulator.run_steps(n_steps)
        else:
            for found in errors:
                emulator.host2chip([], [(s, 0, np.array(e)) for s, e in found])
                emulator.run_steps(1)
        return {p.key: emulator.collect_probe_output(p) for p in model.probes}


def _run_ours(emulator, lines, chunks=None, errors=None):
    """
    Run our emulator.

    Parameters
    ----------
    emulator : Emulator
        Of a graph from `_graph_of`.
    lines : (n_samples, n_steps, n_lines) int16 array
    chunks : list of int, optional
        Steps of each call; by default all at once.
    errors : list, optional
        For every call, those for `Emulator.set_errors`.

    Returns
    -------
    dict of str to (n_samples, n_steps, n_compartments) array
    """
    parts, start = [], 0
    for i, steps in enumerate(chunks or [lines.shape[1]]):
        if errors is not None:
            emulator.set_errors(errors[i])
        parts.append(emulator.run(lines[:, start : start + steps]).probes)
        start += steps
    assert start == lines.shape[1]
    joined = [np.concatenate(part, axis=1) for part in zip(*parts, strict=True)]
    return dict(zip(KEYS, joined, strict=True))


def _number_errors(model, errors):
    """Name synapses by the index of their block, and theirs within it."""
    homes = {
        synapse: (b, s)
        for b, block in enumerate(model.blocks)
        for s, synapse in enumerate(block.synapses)
    }
    return [[(*homes[s], np.array(e)) for s, e in step] for step in errors]


def _run_chips(model, n_steps, *, seed=0, chunks=None, errors=None):
    graph, lines = _graph_of(model), _lines_of(model, n_steps)
    ours = Emulator(graph, seed=seed, on_overflow="warn")
    weights, numbered = ours.program.weights.copy(), None
    if errors is not None:
        chunks, numbered = [1] * n_steps, _number_errors(model, errors)
    with warnings.catch_warnings(record=True) as our_words:
        warnings.simplefilter("always")
        found = _run_ours(ours, lines, chunks, numbered)
    with warnings.catch_warnings(record=True) as their_words:
        warnings.simplefilter("always")
        wanted = _run_theirs(model, n_steps, seed, errors)
    return SimpleNamespace(
        ours={key: values[0] for key, values in found.items()},
        theirs=wanted,
        our_warnings=[str(w.message) for w in our_words],
        their_warnings=[str(w.message) for w in their_words],
        learned=not np.array_equal(weights, ours.program.weights),
        graph=graph,
    )


def _assert_same_warnings(ours, theirs):
    """Check that both told, or did not, of each register, and of lost spikes."""
    words = {f"Overflow in {theirs}": f" has {ours} of " for theirs, ours in REGISTERS}
    words["Synaptic trace spikes lost"] = " got two spikes on an axon in "
    for their_words, our_words in words.items():
        told = any(our_words in message for message in ours)
        assert told == (their_words in theirs), their_words


def _compare_chips(model, n_steps, **options):
    """
    Run a chip model in both emulators and check that no bit differs.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
        In integers. Its inputs hold the spikes.
    n_steps : int
    seed : int
    chunks : list of int, optional
        Steps of each call to our emulator; by default one call.
    errors : list of list of (Synapse, array), optional
        For every step, the errors of synapses that learn.

    Returns
    -------
    SimpleNamespace
        ``ours`` and ``theirs`` by key, the warnings of both, whether any weight
        ``learned``, and the ``graph``.
    """
    run = _run_chips(model, n_steps, **options)
    shape = n_steps, run.graph.n_compartments
    for key in KEYS:
        assert run.theirs[key].shape == shape
        # A record of ours counts spikes in bins, here of one step.
        found = run.ours[key].astype(bool) if key == "spiked" else run.ours[key]
        _assert_identical(found, run.theirs[key], key)
    _assert_same_warnings(run.our_warnings, run.their_warnings)
    return run


class _Watch:
    """Stands for a probe of all compartments."""

    sample_every = None

    def __init__(self, key, size_in):
        self.key, self.size_in = key, size_in


class _WatchedModel(Model):
    """A model that, once a network is built into it, probes all compartments."""

    def build(self, obj, *args, **kwargs):
        built = super().build(obj, *args, **kwargs)
        if obj is self.toplevel:
            n_neurons = sum(block.n_neurons for block in self.blocks)
            self.watches = [_Watch(key, n_neurons) for key in KEYS]
            for watch in self.watches:
                probe = LoihiProbe(target=list(self.blocks), key=watch.key)
                self.add_probe(probe)
                self.objs[watch]["out"] = probe
                self.nengo_probes.append(watch)
                self.params[watch] = []
        return built


def _watch(network, simulator, n_steps, options, change_model, run):
    """Build and run a network in one of the simulators."""
    model = _WatchedModel()
    for name, value in (change_model or {}).items():
        setattr(model, name, value)
    with warnings.catch_warnings(record=True) as words:
        warnings.simplefilter("always")
        with simulator(network, model=model, progress_bar=False, **options) as sim:
            for steps in run or [n_steps]:
                sim.run_steps(steps)
    return SimpleNamespace(
        sim=sim,
        model=model,
        chip={w.key: np.asarray(sim.data[w]) for w in model.watches},
        probes={p: np.asarray(sim.data[p]) for p in network.all_probes},
        warnings=[str(w.message) for w in words],
    )


def _compare_simulators(network, n_steps, *, model=None, chunks=None, **options):
    """
    Run a Nengo network in both simulators and check that no bit differs.

    Parameters
    ----------
    network : nengo.Network
        With a seed.
    n_steps : int
    model : dict, optional
        Attributes of the `nengo_loihi.builder.Model`, by name.
    chunks : list of int, optional
        Steps of each call to our simulator; by default one call.
    options : dict
        Of both simulators.

    Returns
    -------
    SimpleNamespace
        Ours, with the model and simulator, the ``chip`` by key, the network's
        ``probes``, and the ``warnings``; ``theirs`` is NengoLoihi's.
    """
    ours = _watch(network, LoihiSimulator, n_steps, options, model, chunks)
    theirs = {"target": "sim", **options}
    theirs = _watch(network, nengo_loihi.Simulator, n_steps, theirs, model, None)
    assert len(ours.model.blocks) == len(theirs.model.blocks)
    for key in KEYS:
        _assert_identical(ours.chip[key], theirs.chip[key], key)
    for probe, values in theirs.probes.items():
        _assert_identical(ours.probes[probe], values, str(probe))
    assert ours.sim.precompute == theirs.sim.precompute
    _assert_same_warnings(ours.warnings, theirs.warnings)
    ours.theirs = theirs
    return ours


class _ChipKit:
    """Parts of a chip model, made by hand in integers, and ways to run it."""

    graph_of = staticmethod(_graph_of)
    lines_of = staticmethod(_lines_of)
    number_errors = staticmethod(_number_errors)
    run = staticmethod(_run_ours)

    @staticmethod
    def model(*, inputs=(), blocks=()):
        model = Model()
        for lines in inputs:
            model.add_input(lines)
        for block in blocks:
            model.add_block(block)
        return model

    @staticmethod
    def block(n, label="block", **parameters):
        """Return a block; parameters are broadcast to its compartments."""
        block = LoihiBlock(n, label=label)
        compartment = block.compartment
        compartment.scale_u = compartment.scale_v = False  # floats only
        shared = {
            name: parameters.pop(name)
            for name in ("noise_exp", "noise_offset", "noise_at_membrane")
            if name in parameters
        }
        values = {
            "decay_u": 4095,
            "decay_v": 0,
            "vth": 64,
            "bias": 0,
            "refract_delay": 1,
            **parameters,
        }
        compartment.vmin = int(values.pop("vmin", 0))
        compartment.vmax = int(values.pop("vmax", 2**23 - 1))
        compartment.enable_noise[:] = values.pop("enable_noise", False)
        for name, value in values.items():
            setattr(compartment, name, np.broadcast_to(value, n).astype(np.int32))
        for name, value in shared.items():
            setattr(compartment, name, value)
        return block

    @staticmethod
    def synapse(block, weights, indices=None, *, rows=None, bases=None, pop_type=0):
        """
        Add synapses to a block.

        Parameters
        ----------
        block : LoihiBlock
        weights : list of (n_atoms, n_targets) int arrays
        indices : list of the same, optional
            By default the first compartments.
        rows, bases : (n_axons,) array, optional
            Row and first compartment of each axon, for axons that share weights.
        pop_type : int

        Returns
        -------
        nengo_loihi.block.Synapse
        """
        synapse = Synapse(len(weights) if rows is None else len(rows), label="synapse")
        synapse.weights = [np.array(w, dtype=np.int32, ndmin=2) for w in weights]
        if indices is None:
            indices = [
                np.broadcast_to(np.arange(w.shape[1]), w.shape) for w in synapse.weights
            ]
        synapse.indices = [np.array(i, dtype=np.int32, ndmin=2) for i in indices]
        synapse.axon_to_weight_map, synapse.axon_compartment_bases = rows, bases
        synapse.pop_type = pop_type
        synapse.format(
            compression=3, idx_bits=1, fanout_type=1, n_synapses=63, weight_bits=7
        )
        block.add_synapse(synapse)
        return synapse

    @staticmethod
    def axon(source, synapse, axons=None, atoms=None):
        """Send the spikes of a block or input to synapses; see `Axon`."""
        axon = Axon(synapse.n_axons, label="axon")
        axon.target = synapse
        axon.set_compartment_axon_map(
            target_axons=None if axons is None else np.asarray(axons),
            atoms=None if atoms is None else np.asarray(atoms),
        )
        source.add_axon(axon)
        return axon

    @staticmethod
    def spikes(n_lines, spiked, *, permanent=False):
        """Return an input whose lines spike as often as (n_steps, n_lines) says."""
        lines = SpikeInput(n_lines, label="input")
        for step, counts in enumerate(spiked, start=1):
            indices = np.repeat(np.arange(n_lines), np.asarray(counts, dtype=int))
            lines.add_spikes(step, indices, permanent=permanent)
        return lines


@pytest.fixture(scope="session")
def compare_chips():
    """Compare the emulators on a chip model."""
    return _compare_chips


@pytest.fixture(scope="session")
def compare_simulators():
    """Compare the simulators on a Nengo network."""
    return _compare_simulators


@pytest.fixture(scope="session")
def chip_kit():
    """Make parts of chip models."""
    return _ChipKit
