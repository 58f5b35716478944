"""
Networks drawn at random, in our emulator and simulator and in NengoLoihi's.

And laws of ours on the same networks: of batches, of steps, of a reset. Test modules
cannot import each other, so what draws and what is drawn for share a long file.
"""

from collections import Counter
from dataclasses import dataclass, replace

import nengo
import nengo_loihi
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from nengo_loihi.builder import Model
from nengo_loihi.decode_neurons import (
    NoisyDecodeNeurons,
    OnOffDecodeNeurons,
    Preset5DecodeNeurons,
    Preset10DecodeNeurons,
)

from nengo_hybrid import LoihiSimulator
from nengo_hybrid.emulate import Emulator


@dataclass(frozen=True)
class Recipe:
    """
    What a chip model is made of; all numbers are drawn from the seed.

    ``noise`` has one of "", "current" and "membrane" per block. With ``loud``,
    weights and biases are so large that registers overflow.
    """

    seed: int
    n_inputs: int
    noise: tuple
    populations: bool
    sparse: bool
    learns: bool
    loud: bool
    n_steps: int


RECIPES = st.builds(
    Recipe,
    seed=st.integers(0, 2**32 - 1),
    n_inputs=st.integers(0, 2),
    noise=st.lists(
        st.sampled_from(["", "", "current", "membrane"]), min_size=1, max_size=4
    ).map(tuple),
    populations=st.booleans(),
    sparse=st.booleans(),
    learns=st.booleans(),
    loud=st.sampled_from([False, False, True]),
    n_steps=st.integers(20, 40),
)


def draw_block(kit, rng, recipe, noise, label):
    """Return a block with compartments of any leak, threshold, bias and rest."""
    n = int(rng.integers(1, 41))
    n += n % 2 if recipe.learns else 0  # errors are for pairs
    quiet = {"size": n, "p": [0.7, 0.3]}
    bias_bits = 19 if recipe.loud else 9
    parameters = {
        "decay_u": rng.choice([4095, 0], **quiet) * rng.random(n),
        "decay_v": rng.choice([0, 4095], **quiet) * rng.random(n),
        "vth": 64 * rng.integers(1, 2 ** rng.integers(2, 8), n),
        "bias": rng.integers(-(2**bias_bits) // 4, 2**bias_bits, n),
        "refract_delay": rng.integers(0, 7, n),
        "vmin": 1 - 2 ** rng.integers(0, 24),
        "vmax": 2 ** (9 + 2 * rng.integers(1, 8)) - 1,
    }
    if noise:
        parameters |= {
            "enable_noise": rng.random(n) < 0.8,
            "noise_exp": int(rng.integers(1, 23 if recipe.loud else 14)),
            "noise_offset": int(rng.integers(-3, 4)),
            "noise_at_membrane": int(noise == "membrane"),
        }
    return kit.block(n, label, **parameters)


def draw_weights(rng, recipe, shape):
    """Draw weights of 8 bits and a sign, times a power of 2."""
    bits = rng.integers(12, 20) if recipe.loud else rng.integers(2, 7)
    return 2 * rng.integers(-100, 128, shape) << bits


def draw_matrix(kit, rng, recipe, block):
    """Add synapses in rows: all targets, or some, in any order, or none."""
    n = block.n_neurons
    weights, indices = [], []
    for _ in range(rng.integers(1, 15)):
        n_targets = rng.integers(0, n + 1) if recipe.sparse else n
        reached = rng.permutation(n)[:n_targets] if recipe.sparse else np.arange(n)
        if recipe.sparse and n_targets and rng.random() < 0.3:
            reached[-1] = reached[0]  # of two for one target, the last counts
        weights.append(draw_weights(rng, recipe, (1, n_targets)))
        indices.append(reached[None])
    return kit.synapse(block, weights, indices)


def draw_population(kit, rng, recipe, block):
    """Add synapses whose axons share rows, shifted, and have weights for atoms."""
    n, n_atoms = block.n_neurons, rng.integers(1, 5)
    weights, indices = [], []
    for _ in range(rng.integers(1, 4)):
        n_targets = rng.integers(1, n // 2 + 2)
        first = np.sort(rng.permutation(n // 2 + 1)[:n_targets])
        weights.append(draw_weights(rng, recipe, (n_atoms, len(first))))
        indices.append(np.broadcast_to(first, (n_atoms, len(first))))
    n_axons = rng.integers(1, 15)
    rows = rng.integers(0, len(weights), n_axons)
    room = n - np.array([i.max() for i in indices])[rows]
    bases = np.where(rng.random(n_axons) < 0.2, -1, rng.integers(0, room))
    return kit.synapse(
        block,
        weights,
        indices,
        rows=rows,
        bases=list(bases),
        pop_type=int(rng.choice([16, 32])),
    )


def draw_learning(kit, rng, recipe, block):
    """Add synapses that learn, as NengoLoihi rounds them to integers."""
    n_axons, n = rng.integers(1, 15), block.n_neurons
    synapse = kit.synapse(block, 128 * rng.integers(-60, 60, (n_axons, 1, n)))
    synapse.set_learning(tracing_tau=int(rng.integers(1, 30)))
    synapse.format(weight_exp=int(rng.integers(-4, 5)))
    synapse._lr_int = int(rng.integers(1, 8))
    synapse._lr_exp = int(rng.integers(-7, 1))
    synapse.tracing_mag = int(rng.integers(1, 127 * 128)) / 128
    return synapse


def draw_axons(kit, rng, source, n, synapses):
    """Send a source's spikes to some synapses, over any of their axons."""
    for synapse in synapses:
        if rng.random() < 0.3:
            continue
        if n <= synapse.n_axons and synapse.pop_type == 0 and rng.random() < 0.5:
            kit.axon(source, synapse)
            continue
        axons = rng.integers(-1, synapse.n_axons, n)
        n_atoms = synapse.weights[0].shape[0]
        atoms = rng.integers(0, n_atoms, n) if n_atoms > 1 else None
        kit.axon(source, synapse, axons, atoms)


def draw_chip(kit, recipe):
    """
    Draw a chip model, and errors for what learns.

    Returns
    -------
    model : nengo_loihi.builder.Model
    errors : list of list of (Synapse, array), or None
    rng : numpy.random.Generator
    """
    rng = np.random.default_rng(recipe.seed)
    blocks = [
        draw_block(kit, rng, recipe, noise, f"block {i}")
        for i, noise in enumerate(recipe.noise)
    ]
    kinds = [draw_matrix] + [draw_population] * recipe.populations
    for block in blocks:
        for _ in range(rng.integers(0, 3)):
            rng.choice(kinds)(kit, rng, recipe, block)
    if recipe.learns:
        for block in rng.choice(blocks, rng.integers(1, 3)):
            draw_learning(kit, rng, recipe, block)
    synapses = [synapse for block in blocks for synapse in block.synapses]
    inputs = []
    for _ in range(recipe.n_inputs):
        n_lines = int(rng.integers(1, 21))
        rate = rng.choice([0.02, 0.1, 0.4])
        spiked = rng.random((recipe.n_steps, n_lines)) < rate
        if (
            not recipe.learns and rng.random() < 0.3
        ):  # several spikes on a line at once, as of cameras
            spiked = spiked * rng.integers(1, 4, spiked.shape)
        inputs.append(kit.spikes(n_lines, spiked))
        draw_axons(kit, rng, inputs[-1], n_lines, synapses)
    for block in blocks:
        draw_axons(kit, rng, block, block.n_neurons, synapses)
    model = kit.model(inputs=inputs, blocks=blocks)
    model.pes_error_scale = rng.choice([1.0, 30.0])
    return model, draw_errors(rng, recipe, blocks) if recipe.learns else None, rng


def draw_errors(rng, recipe, blocks):
    """Draw errors for each step and each synapse that learns; some steps have none."""
    learning = [(s, b.n_neurons // 2) for b in blocks for s in b.synapses if s.learning]
    return [
        [(s, rng.normal(scale=20, size=n)) for s, n in learning if rng.random() < 0.8]
        for _ in range(recipe.n_steps)
    ]


def draw_chunks(rng, n_steps):
    """Cut a run into calls of any number of steps."""
    cuts = np.unique(rng.integers(1, n_steps, rng.integers(0, 4)))
    return [int(n) for n in np.diff([0, *cuts, n_steps])]


def features(recipe, model, run):
    """Name what a network has and did."""
    synapses = [s for block in model.blocks for s in block.synapses]
    axons = [a for source in (*model.inputs, *model.blocks) for a in source.axons]
    current = run.ours["current"]
    return {
        "networks": True,
        "spikes": bool(run.ours["spiked"].any()),
        "synapses used": bool((current != 0).any()),
        "noise on currents": "current" in recipe.noise,
        "noise on voltages": "membrane" in recipe.noise,
        "shared weights": any(s.pop_type for s in synapses),
        "unused axons": any(-1 in (s.axon_compartment_bases or ()) for s in synapses),
        "atoms": any(a.compartment_atoms is not None for a in axons),
        "unconnected": any(
            a.compartment_map is not None and (a.compartment_map < 0).any()
            for a in axons
        ),
        "repeated spikes": any(
            len(set(i)) < len(i)
            for lines in model.inputs
            for i in lines.spikes.values()
        ),
        "self loops": any(
            a.target in block.synapses for block in model.blocks for a in block.axons
        ),
        "learned": run.learned,
        "overflow of an input": "Overflow in q0" in run.their_warnings,
        "overflow of a current": "Overflow in current" in run.their_warnings,
        "overflow with a bias": "Overflow in u2" in run.their_warnings,
    }


def test_random_chips_run_bit_for_bit(compare_chips, chip_kit):
    seen = Counter()

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(recipe=RECIPES)
    def check(recipe):
        model, errors, rng = draw_chip(chip_kit, recipe)
        run = compare_chips(
            model,
            recipe.n_steps,
            seed=recipe.seed,
            chunks=draw_chunks(rng, recipe.n_steps),
            errors=errors,
        )
        found = features(recipe, model, run)
        seen.update({feature: int(has) for feature, has in found.items()})
        for feature, has in found.items():
            if has:
                event(feature)

    check()
    assert seen["networks"] >= 200
    assert seen["spikes"] > 190 and seen["synapses used"] > 100
    assert min(seen.values()) >= 10, seen


NEURON_TYPES = (
    lambda rng: nengo.LIF(
        tau_rc=rng.uniform(0.005, 0.05), tau_ref=0.001 * rng.choice(4)
    ),
    lambda rng: nengo.SpikingRectifiedLinear(amplitude=rng.choice([1, 0.5])),
    lambda rng: nengo_loihi.neurons.LoihiLIF(tau_ref=0.001 * rng.choice(4)),
    lambda rng: nengo_loihi.neurons.LoihiSpikingRectifiedLinear(),
)
DECODE_NEURONS = (
    Preset10DecodeNeurons,
    Preset5DecodeNeurons,
    lambda: OnOffDecodeNeurons(pairs_per_dim=2),
    lambda: NoisyDecodeNeurons(pairs_per_dim=3, noise_exp=-1.5),
)


def draw_ensemble(rng):
    n_dimensions = int(rng.integers(1, 3))
    ensemble = nengo.Ensemble(
        int(rng.integers(5, 25)),
        n_dimensions,
        neuron_type=NEURON_TYPES[rng.integers(len(NEURON_TYPES))](rng),
        radius=rng.uniform(0.5, 2),
        max_rates=nengo.dists.Uniform(100, 200),
        intercepts=nengo.dists.Uniform(-0.9, 0.5),
    )
    n_blocks = rng.integers(1, 4)
    if n_blocks > 1:
        n = ensemble.n_neurons
        shape = nengo_loihi.BlockShape((int(-(-n // n_blocks)),), (n,))
        nengo_loihi.add_params(nengo.Network.context[-1])
        nengo.Network.context[-1].config[ensemble].block_shape = shape
    return ensemble


def draw_connection(rng, pre, post):
    """Connect two ensembles: by their values, by full weights, or by neurons."""
    kind, synapse = rng.integers(3), rng.choice([0.001, 0.005, 0.02])
    if kind == 2:
        shape = post.n_neurons, pre.n_neurons
        weights = rng.normal(scale=2e-3, size=shape) * (rng.random(shape) < 0.5)
        return nengo.Connection(
            pre.neurons, post.neurons, transform=weights, synapse=synapse
        )
    return nengo.Connection(
        pre,
        post,
        transform=rng.uniform(-1, 1, (post.dimensions, pre.dimensions)),
        function=(lambda x: x**2) if rng.random() < 0.5 else None,
        solver=nengo.solvers.LstsqL2(weights=bool(kind)),
        synapse=synapse,
    )


def draw_network(seed, *, has_loop, learns):
    """Draw a Nengo network, and the options of NengoLoihi's model."""
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=int(rng.integers(2**31))) as net:
        # Without a seed of its own, NengoLoihi draws a process anew in each run.
        process = nengo.processes.WhiteSignal(0.1, 50, rms=0.7, seed=1)
        stimulus = nengo.Node(process)
        steady = nengo.Node(rng.uniform(-1, 1, 2))
        ensembles = [draw_ensemble(rng) for _ in range(rng.integers(1, 4))]
        first, last = ensembles[0], ensembles[-1]
        one = np.eye(first.dimensions, 1)
        nengo.Connection(stimulus, first, transform=one, synapse=None)
        for pre in ensembles:
            nengo.Connection(steady[: pre.dimensions], pre)
            for post in ensembles:
                if rng.random() < 0.5:
                    draw_connection(rng, pre, post)
        if has_loop:
            doubled = nengo.Node(lambda t, x: 2 * x, size_in=1)
            nengo.Connection(last[0], doubled)
            nengo.Connection(doubled, first, transform=one)
        if learns:
            result = nengo.Node(size_in=1)
            learned = nengo.Connection(
                first[0], result, learning_rule_type=nengo.PES(1e-2), transform=0.1
            )
            nengo.Connection(result, learned.learning_rule)
            nengo.Connection(stimulus, learned.learning_rule, transform=-1)
            nengo.Probe(result)
        nengo.Probe(last, synapse=0.01)
        for what in ("output", "voltage", "input"):
            nengo.Probe(first.neurons, what)
    decode_neurons = DECODE_NEURONS[rng.integers(len(DECODE_NEURONS))]()
    return net, {"decode_neurons": decode_neurons}


def test_random_networks_run_bit_for_bit(compare_simulators):
    seen = Counter()

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32 - 1), has_loop=st.booleans(), learns=st.booleans())
    def check(seed, has_loop, learns):
        net, model = draw_network(seed, has_loop=has_loop, learns=learns)
        run = compare_simulators(net, 40, model=model, chunks=[1, 39])
        seen.update(
            {
                "networks": 1,
                "spikes": int(run.chip["spiked"].mean() > 0.01),
                "host in the loop": int(not run.sim.precompute),
                "host ahead": int(run.sim.precompute),
                "learns": int(run.sim.graph.learns),
            }
        )

    check()
    assert seen["networks"] >= 15 and seen["spikes"] >= 12, seen
    assert min(seen.values()) >= 3, seen


def assert_same_run(found, wanted):
    for key, values in wanted.items():
        np.testing.assert_array_equal(found[key], values, err_msg=key, strict=True)


@pytest.mark.filterwarnings("ignore:population")  # of overflows
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    recipe=RECIPES, n_samples=st.integers(2, 9), n_threads=st.sampled_from([1, 2, 5])
)
def test_a_sample_alone_is_the_sample_in_a_batch(
    recipe, n_samples, n_threads, chip_kit
):
    model, _, rng = draw_chip(chip_kit, replace(recipe, learns=False))
    graph, options = chip_kit.graph_of(model), {"on_overflow": "warn"}
    shape = n_samples, recipe.n_steps, graph.n_lines
    lines = (rng.random(shape) < 0.2).astype(np.int16)
    batch = Emulator(graph, n_samples, seed=recipe.seed, n_threads=n_threads, **options)
    found = chip_kit.run(batch, lines, draw_chunks(rng, recipe.n_steps))
    for i in range(n_samples):
        alone = Emulator(graph, seed=recipe.seed, n_threads=1, **options)
        wanted = chip_kit.run(alone, lines[i : i + 1])
        assert_same_run({k: v[i : i + 1] for k, v in found.items()}, wanted)


@pytest.mark.filterwarnings(
    "ignore:population", "ignore:synapses", "ignore:clipped", "ignore:an error"
)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(recipe=RECIPES)
def test_steps_one_by_one_or_at_once_or_again(recipe, chip_kit):
    model, errors, rng = draw_chip(chip_kit, recipe)
    graph, lines = chip_kit.graph_of(model), chip_kit.lines_of(model, recipe.n_steps)
    emulator = Emulator(graph, seed=recipe.seed, on_overflow="warn")
    held = chip_kit.number_errors(model, errors[:1])[0] if errors else []
    runs = []
    for chunks in (None, [1] * recipe.n_steps, draw_chunks(rng, recipe.n_steps)):
        emulator.reset(recipe.seed)
        emulator.set_errors(held)
        runs.append(chip_kit.run(emulator, lines, chunks))
    assert_same_run(runs[1], runs[0])
    assert_same_run(runs[2], runs[0])


def fed_network(has_loop):
    """Return a network with a node to feed, on which the rest depends."""
    with nengo.Network(seed=5) as net:
        fed = nengo.Node(np.zeros(2))
        pre, post = nengo.Ensemble(20, 2), nengo.Ensemble(15, 1)
        nengo.Connection(fed, pre, synapse=None)
        nengo.Connection(pre, post, function=lambda x: x[0] * x[1])
        if has_loop:
            back = nengo.Node(lambda t, x: 0.5 - x, size_in=1)
            nengo.Connection(post, back)
            nengo.Connection(back, post)
        probes = [nengo.Probe(post.neurons), nengo.Probe(post, synapse=0.01)]
        probes += [nengo.Probe(pre.neurons, "voltage"), nengo.Probe(fed)]
    return net, fed, probes


def noisy_model():
    model = Model()
    model.decode_neurons = NoisyDecodeNeurons(pairs_per_dim=2, noise_exp=-1.0)
    return model


@pytest.mark.filterwarnings("ignore:NengoLoihi does not", "ignore:invalid value")
@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("has_loop", [False, True])
def test_simulated_samples_do_not_know_of_each_other(has_loop, n_threads):
    net, fed, probes = fed_network(has_loop)
    data = np.random.default_rng(6).uniform(-1, 1, (4, 25, 2))
    options = {"model": noisy_model(), "n_threads": n_threads, "minibatch_size": 4}
    with LoihiSimulator(net, **options) as batch:
        assert batch.precompute != has_loop
        assert any(block.noise for block in batch.graph.blocks)
        batch.run_steps(10, data={fed: data[:, :10]})
        batch.run_steps(15, data={fed: data[:, 10:]})
        assert len({row.tobytes() for row in batch.data[probes[0]]}) == 4
        first = {probe: batch.data[probe] for probe in probes}
        batch.reset()
        batch.run_steps(25, data={fed: data})
        for probe in probes:
            np.testing.assert_array_equal(batch.data[probe], first[probe], strict=True)
    for i in range(4):
        with LoihiSimulator(net, model=noisy_model()) as alone:
            for step in range(25):
                alone.run_steps(1, data={fed: data[i, step : step + 1]})
        for probe in probes:
            found, wanted = first[probe][i], alone.data[probe]
            np.testing.assert_array_equal(found, wanted, strict=True)


@pytest.mark.filterwarnings("ignore:NengoLoihi does not", "ignore:invalid value")
@pytest.mark.parametrize("has_loop", [False, True])
def test_a_sample_is_what_nengo_loihi_gives_for_its_data(has_loop):
    net, fed, probes = fed_network(has_loop)
    data = np.random.default_rng(7).uniform(-1, 1, (2, 25, 2))
    with LoihiSimulator(net, model=noisy_model(), minibatch_size=2) as ours:
        ours.run_steps(25, data={fed: data})
    for i in range(2):
        fed.output = nengo.processes.PresentInput(data[i], 0.001)
        with nengo_loihi.Simulator(net, target="sim", model=noisy_model()) as theirs:
            theirs.run_steps(25)
        assert theirs.data[probes[0]].any()
        for probe in probes:
            found, wanted = ours.data[probe][i], np.asarray(theirs.data[probe])
            np.testing.assert_array_equal(found, wanted, strict=True)
