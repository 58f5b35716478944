"""
Our simulator and emulator against NengoLoihi's, one kind of network after another.

Every spike, voltage and current is compared, bit for bit; and that there was
something to compare: that the network spikes, overflows, learns. All kinds stand
in one file, long as it is, so that it reads as the list of what is compared.
"""

import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo.transforms import ChannelShape, Convolution, ConvolutionTranspose
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.decode_neurons import NoisyDecodeNeurons
from nengo_loihi.dvs import DVSEvents, DVSFileChipProcess
from nengo_loihi.inputs import SpikeInput

RATES = {
    "max_rates": nengo.dists.Uniform(100, 200),
    "intercepts": nengo.dists.Uniform(-0.9, 0.5),
}


def ensemble(n, dimensions=1, **changes):
    return nengo.Ensemble(n, dimensions, **{**RATES, **changes})


def sine(frequency=20):
    return nengo.Node(lambda t: np.sin(2 * np.pi * frequency * t))


def assert_spikes(run, *, share=0.2):
    """Check that at least a share of all compartments spiked."""
    found = run.chip if hasattr(run, "chip") else run.ours
    assert found["spiked"].any(axis=0).mean() >= share


@pytest.mark.parametrize("weights", [False, True])
def test_dense(weights, compare_simulators):
    with nengo.Network(seed=1) as net:
        pre, post = ensemble(20, 2), ensemble(15)
        nengo.Connection(nengo.Node([0.5, -0.2]), pre)
        solver = nengo.solvers.LstsqL2(weights=weights)
        nengo.Connection(pre, post, function=lambda x: x[0] + x[1], solver=solver)
        for what in ("output", "voltage", "input"):
            nengo.Probe(post.neurons[3:9], what)
        nengo.Probe(post, synapse=0.01)
    run = compare_simulators(net, 60)
    assert_spikes(run, share=0.5)
    assert len(run.model.blocks) == 3 + (not weights)  # pre, post, and decoders
    assert all(values.any() for values in run.probes.values())


def test_sparse(compare_simulators):
    entries = [(0, 3), (7, 3), (14, 0), (2, 19)]  # post, pre
    weights = nengo.transforms.Sparse((15, 20), indices=entries, init=[1, 2, 3, 4])
    with nengo.Network(seed=2) as net:
        pre, post = ensemble(20), ensemble(15, intercepts=nengo.dists.Choice([0.05]))
        nengo.Connection(nengo.Node(0.9), pre)
        nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0.005)
    run = compare_simulators(net, 60)
    spiked, reached = run.chip["spiked"], run.chip["current"][:, 20:].any(axis=0)
    expected = sorted({post for post, pre in entries if spiked[:, pre].any()})
    assert np.flatnonzero(reached).tolist() == expected != []
    assert spiked[:, 20:].any()


def test_recurrent(compare_simulators):
    with nengo.Network(seed=3) as net:
        loop = ensemble(30, 2)
        nengo.Connection(nengo.Node([1, 0]), loop, transform=0.1)
        nengo.Connection(loop, loop, transform=[[1, -0.5], [0.5, 1]], synapse=0.1)
        kernel = np.random.default_rng(0).normal(scale=1e-3, size=(30, 30))
        nengo.Connection(loop.neurons, loop.neurons, transform=kernel)
        nengo.Probe(loop, synapse=0.02)
    assert_spikes(compare_simulators(net, 100, chunks=[1, 20, 79]), share=0.5)


def image_shape(spatial, n_channels, channels_last):
    shape = (*spatial, n_channels) if channels_last else (n_channels, *spatial)
    return ChannelShape(shape, channels_last=channels_last)


def convolution(kind, shape, n_filters, *, strides, padding, channels_last, kernel):
    return kind(
        n_filters,
        input_shape=shape,
        kernel_size=kernel,
        strides=strides,
        padding=padding,
        channels_last=channels_last,
        init=nengo.dists.Uniform(-0.02, 0.04),
    )


@pytest.mark.parametrize(
    "channels_last, pop_type", [(True, 16), (True, 32), (False, 32)]
)
@pytest.mark.parametrize(
    "kind, padding, strides",
    [
        (Convolution, "valid", (1, 1)),
        (Convolution, "same", (1, 1)),
        (Convolution, "valid", (2, 2)),
        (Convolution, "same", (3, 2)),
        (ConvolutionTranspose, "valid", (1, 1)),
        (ConvolutionTranspose, "same", (2, 2)),
    ],
)
def test_convolutional(
    kind, padding, strides, channels_last, pop_type, compare_simulators
):
    shape, layers = image_shape((5, 6), 2, channels_last), []
    options = {"padding": padding, "channels_last": channels_last, "kernel": (3, 3)}
    neurons = {
        "neuron_type": nengo_loihi.neurons.LoihiSpikingRectifiedLinear(),
        "max_rates": nengo.dists.Choice([200]),
        "intercepts": nengo.dists.Choice([0]),
    }
    with nengo.Network(seed=4) as net:
        nengo_loihi.add_params(net)
        image = np.random.default_rng(1).uniform(0, 1, shape.size)
        outside = ensemble(shape.size, **neurons)
        net.config[outside].on_chip = False
        nengo.Connection(nengo.Node(image), outside.neurons, synapse=None)
        source = outside
        for steps in ((1, 1), strides):  # from the host, then on the chip
            transform = convolution(kind, shape, 4, strides=steps, **options)
            shape = transform.output_shape
            layers.append(ensemble(shape.size, **neurons))
            connection = nengo.Connection(
                source.neurons, layers[-1].neurons, transform=transform, synapse=0.002
            )
            net.config[connection].pop_type = pop_type
            source = layers[-1]
        nengo.Probe(source.neurons)
    run = compare_simulators(net, 40)
    n_first = layers[0].n_neurons
    assert run.chip["spiked"][:, :n_first].any(axis=0).mean() > 0.2
    assert run.chip["spiked"][:, n_first:].any(axis=0).mean() > 0.2
    synapses = [s for block in run.model.blocks for s in block.synapses]
    assert {s.pop_type for s in synapses} == {pop_type}
    assert any(s.weights[0].shape[0] > 1 for s in synapses)  # atoms


def test_population_axons(compare_chips, chip_kit):
    rng = np.random.default_rng(5)
    pre = chip_kit.block(12, "pre", bias=rng.integers(5, 40, 12))
    post = chip_kit.block(10, "post", decay_u=2000, vth=128, vmin=-(2**8) + 1)
    synapse = chip_kit.synapse(
        post,
        [rng.integers(-90, 200, (3, 4)), rng.integers(-90, 200, (3, 2))],
        [[[0, 1, 2, 4]] * 3, [[1, 3]] * 3],
        rows=[0, 1, 0, 1],
        bases=[5, 0, -1, 6],
        pop_type=16,
    )
    axons, atoms = np.arange(12) % 5 - 1, np.arange(12) % 3
    chip_kit.axon(pre, synapse, axons, atoms)
    lines = chip_kit.spikes(6, rng.random((40, 6)) < 0.3)
    chip_kit.axon(lines, synapse, [0, 1, 2, 3, -1, 0], [0, 1, 2, 0, 1, 2])
    model = chip_kit.model(inputs=[lines], blocks=[pre, post])
    run = compare_chips(model, 40)
    assert_spikes(run, share=0.6)
    assert run.ours["current"][:, 12:].any(axis=0).sum() >= 6


def test_blocks_that_are_too_large_for_a_core(compare_simulators):
    with nengo.Network(seed=6) as net:
        large, small = ensemble(1100), ensemble(10)
        nengo.Connection(nengo.Node(0.5), large)
        weights = np.random.default_rng(2).normal(scale=1e-3, size=(10, 1100))
        nengo.Connection(large.neurons, small.neurons, transform=weights)
        nengo.Connection(small.neurons, large.neurons, transform=weights.T)
        nengo.Probe(large.neurons)
    run = compare_simulators(net, 30)
    sizes = [block.n_neurons for block in run.model.blocks]
    assert sizes == [550, 550, 10]
    assert_spikes(run)


@pytest.mark.parametrize("shape, whole", [((2, 2), (4, 4)), ((1,), (129,))])
def test_blocks_of_a_configured_shape(shape, whole, compare_simulators):
    n_neurons = int(np.prod(whole))
    with nengo.Network(seed=7) as net:
        nengo_loihi.add_params(net)
        split, post = ensemble(n_neurons), ensemble(10)
        net.config[split].block_shape = nengo_loihi.BlockShape(shape, whole)
        nengo.Connection(nengo.Node(0.5), split)
        nengo.Connection(split, post)
        nengo.Probe(split.neurons)
        nengo.Probe(split, synapse=0.01)
    run = compare_simulators(net, 30)
    sizes = [block.n_neurons for block in run.model.blocks]
    n_blocks = n_neurons // int(np.prod(shape))
    assert sizes[:n_blocks] == [int(np.prod(shape))] * n_blocks
    assert_spikes(run)


def test_several_chips(compare_chips, chip_kit):
    # A ring of more blocks than a chip's 128 cores; a spike goes round it.
    blocks = [chip_kit.block(2, f"block {i}", vth=64) for i in range(140)]
    for i, block in enumerate(blocks):
        synapse = chip_kit.synapse(block, [[65, 0], [0, 80]])
        chip_kit.axon(blocks[i - 1], synapse)
    blocks[0].compartment.bias[:] = [5, 7]
    run = compare_chips(chip_kit.model(blocks=blocks), 200)
    assert run.ours["spiked"][:, -1].any() and run.ours["spiked"][:, -2].any()


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("at_membrane", [0, 1])
def test_noise(at_membrane, offset, compare_chips):
    model = Model()
    for n in (7, 12):  # odd, so that steps share words of the random stream
        block = LoihiBlock(n, label="noisy")
        block.compartment.configure_relu()
        block.compartment.vmin = -1
        block.compartment.enable_noise[::2] = 1
        block.compartment.noise_exp = -0.5
        block.compartment.noise_offset = offset
        block.compartment.noise_at_membrane = at_membrane
        model.add_block(block)
    discretize_model(model)
    run = compare_chips(model, 60, seed=8, chunks=[1, 2, 57])
    noisy = np.concatenate([np.arange(n) % 2 == 0 for n in (7, 12)])
    np.testing.assert_array_equal(run.ours["voltage"].any(axis=0), noisy)
    assert run.ours["spiked"].any() and not run.ours["spiked"][:, ~noisy].any()
    np.testing.assert_array_equal(
        run.ours["current"].any(axis=0), noisy & (not at_membrane)
    )


def test_noisy_decode_neurons(compare_simulators):
    with nengo.Network(seed=9) as net:
        pre, post = ensemble(20), ensemble(15)
        nengo.Connection(sine(), pre)
        nengo.Connection(pre, post)
    decode_neurons = NoisyDecodeNeurons(pairs_per_dim=4, noise_exp=-1.0)
    run = compare_simulators(net, 60, model={"decode_neurons": decode_neurons}, seed=3)
    assert_spikes(run, share=0.5)
    assert any(block.noise for block in run.sim.graph.blocks)
    other = compare_simulators(
        net, 60, model={"decode_neurons": decode_neurons}, seed=4
    )
    assert not np.array_equal(run.chip["voltage"], other.chip["voltage"])


def all_weights(model):
    synapses = [s for block in model.blocks for s in block.synapses]
    return np.concatenate([w.ravel() for s in synapses for w in s.weights])


@pytest.mark.parametrize("dimensions, rate", [(1, 1e-2), (2, 0.5)])
def test_learning(dimensions, rate, compare_simulators):
    with nengo.Network(seed=10) as net:
        stimulus = nengo.Node(lambda t: [np.sin(50 * t)] * dimensions)
        pre, post = ensemble(25, dimensions), nengo.Node(size_in=dimensions)
        nengo.Connection(stimulus, pre, synapse=None)
        learned = nengo.Connection(
            pre,
            post,
            function=lambda x: np.zeros(dimensions),
            learning_rule_type=nengo.PES(rate),
        )
        nengo.Connection(post, learned.learning_rule)
        nengo.Connection(stimulus, learned.learning_rule, transform=-1)
        nengo.Probe(post, synapse=0.01)
    run = compare_simulators(net, 100)
    assert not run.sim.precompute
    assert_spikes(run, share=0.4)
    before, after = (
        np.concatenate(
            [w.ravel() for b in m.blocks for s in b.synapses for w in s.weights]
        )
        for m in (run.model, run.theirs.model)
    )
    assert (before != after).any()  # ours leaves the model as it was built
    (output,) = run.probes.values()
    assert output.any()


def test_learning_with_errors_by_hand(compare_chips, chip_kit):
    rng = np.random.default_rng(11)
    block = chip_kit.block(4, bias=9, decay_v=0, vth=2**9)
    synapses = []
    for n_axons in (3, 5):
        synapse = chip_kit.synapse(block, np.zeros((n_axons, 1, 4)))
        synapse.set_learning(tracing_tau=3 * n_axons)
        synapse.format(weight_exp=-2)
        synapse._lr_int, synapse._lr_exp, synapse.tracing_mag = 5, -3, 40 + 7 / 128
        synapses.append(synapse)
    lines = chip_kit.spikes(5, rng.random((60, 5)) < 0.4)
    chip_kit.axon(lines, synapses[0], [0, 1, 2, 2, -1])
    chip_kit.axon(lines, synapses[1])
    chip_kit.axon(block, synapses[0], [0, 0, 1, 2])
    model = chip_kit.model(inputs=[lines], blocks=[block])
    model.pes_error_scale = 20.0
    errors = [[(s, rng.normal(scale=3, size=2)) for s in synapses] for _ in range(60)]
    run = compare_chips(model, 60, seed=12, errors=errors)
    assert run.learned
    assert run.ours["current"].any()
    assert "Synaptic trace spikes lost" in run.their_warnings
    assert_spikes(run, share=1)


@pytest.mark.parametrize("tau_ref", [0.0, 0.001, 0.003, 0.0048])
def test_refractory(tau_ref, compare_simulators):
    with nengo.Network(seed=13) as net:
        fast = ensemble(20, neuron_type=nengo.LIF(tau_ref=tau_ref))
        fast.max_rates = nengo.dists.Choice([0.9 / (tau_ref + 0.001)])
        nengo.Connection(nengo.Node(1.0), fast)
    run = compare_simulators(net, 60)
    spikes = np.argwhere(run.chip["spiked"].T)
    gaps = np.diff(spikes[:, 1])[np.diff(spikes[:, 0]) == 0]
    assert gaps.min() >= round(tau_ref / 0.001) + 1
    assert_spikes(run)


def test_several_inputs(compare_simulators):
    with nengo.Network(seed=14) as net:
        nengo_loihi.add_params(net)
        outside, inside = ensemble(12, 2), ensemble(20, 2)
        net.config[outside].on_chip = False
        nengo.Connection(nengo.Node([0.3, 0.9]), outside)
        nengo.Connection(outside, inside, synapse=0.005)
        nengo.Connection(
            outside.neurons, inside.neurons, transform=np.full((20, 12), 1e-3)
        )
        nengo.Connection(sine(), inside, transform=[[1], [0]], synapse=0.005)
        nengo.Connection(nengo.Node([0.1] * 20), inside.neurons, synapse=0.005)
    run = compare_simulators(net, 60)
    assert len(run.model.inputs) == 4
    injected = run.sim.trace.populations
    assert all(p.spikes.any() for p in injected.values())
    assert_spikes(run)


def overflowing_model(n_axons, *, bias=0):
    """Return a block that 255 * 64 from each of many axons reaches in each step."""
    model, lines = Model(), SpikeInput(n_axons)
    for step in range(1, 31):
        lines.add_spikes(step, np.arange(n_axons), permanent=True)
    block, synapse, axon = LoihiBlock(1, label="sum"), Synapse(n_axons), Axon(n_axons)
    block.compartment.configure_relu()
    block.compartment.configure_filter(0.1)
    synapse.set_weights(np.ones((n_axons, 1)))
    block.add_synapse(synapse)
    axon.target = synapse
    lines.add_axon(axon)
    model.add_input(lines)
    model.add_block(block)
    discretize_model(model)
    block.compartment.vmin, block.compartment.vth[:] = -(2**22) + 1, 2**22
    block.compartment.bias[:] = bias
    return model


def test_overflow_of_an_input(compare_chips):
    run = compare_chips(overflowing_model(200), 15)
    # 254, an even 255, times 64 from each of 200: more than 2**21 - 1, so it wraps.
    sent = 200 * 254 * 64
    assert sent > 2**21 - 1
    assert run.ours["current"][:2].ravel().tolist() == [0, sent - 2**22]
    assert run.our_warnings[0].startswith(
        f"population 'sum', neuron 0 has an input of {sent} at sample 0, step 1"
    )
    assert "14 times in all" in run.our_warnings[0]


def test_overflow_of_a_current(compare_chips):
    run = compare_chips(overflowing_model(100), 15)
    assert "Overflow in current" in run.their_warnings
    assert "Overflow in q0" not in run.their_warnings
    sent, current, step = 100 * 254 * 64, 0, 0
    decay = int(run.graph.blocks[0].decay_u[0]) + 1
    while current < 2**23:  # spikes of the first step arrive in the second
        step += 1
        current = current * (4096 - decay) // 4096 + sent
    assert run.our_warnings[0].startswith(
        f"population 'sum', neuron 0 has a current of {current} at sample 0, "
        f"step {step}"
    )
    assert run.ours["current"][step, 0] == current - 2**24


def test_overflow_of_a_current_with_its_bias(compare_chips):
    run = compare_chips(overflowing_model(30, bias=4095 * 128), 30)
    assert "Overflow in u2" in run.their_warnings
    words = [w for w in run.our_warnings if " a current with its bias of " in w]
    assert len(words) == 1


def test_overflow_in_a_network(compare_simulators):
    alike = {"intercepts": nengo.dists.Choice([-0.5]), "encoders": np.ones((200, 1))}
    with nengo.Network(seed=15) as net:
        pre = ensemble(200, max_rates=nengo.dists.Choice([200]), **alike)
        post = ensemble(10)
        nengo.Connection(nengo.Node(1.0), pre)
        weights = np.full((10, 200), 0.01)
        nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0.001)
        nengo.Probe(post.neurons, "input")
    run = compare_simulators(net, 40, chunks=[10, 30])
    assert "Overflow in q0" in run.theirs.warnings
    assert any("an input of " in words for words in run.warnings)


@pytest.mark.parametrize("precompute", [False, True])
def test_host_before_and_after_the_chip(precompute, compare_simulators):
    with nengo.Network(seed=16) as net:
        chip = ensemble(20)
        after = nengo.Node(lambda t, x: x**2, size_in=1)
        nengo.Connection(sine(), chip)
        nengo.Connection(chip, after)
        nengo.Connection(chip.neurons, nengo.Node(size_in=20))
        nengo.Probe(after, synapse=0.005)
        nengo.Probe(chip.neurons)
    run = compare_simulators(net, 60, precompute=precompute, chunks=[10, 1, 49])
    assert run.sim.precompute == precompute
    assert all(values.any() for values in run.probes.values())
    assert_spikes(run, share=0.5)


def test_host_in_the_loop(compare_simulators):
    with nengo.Network(seed=17) as net:
        chip, other = ensemble(20), ensemble(15)
        host = nengo.Node(lambda t, x: np.cos(60 * t) - x, size_in=1)
        nengo.Connection(chip, host)
        nengo.Connection(host, chip)
        nengo.Connection(host, other)
        nengo.Connection(other, chip, transform=-0.5)
        nengo.Probe(host)
    run = compare_simulators(net, 80, chunks=[1, 79])
    assert not run.sim.precompute
    (values,) = run.probes.values()
    assert values.std() > 0.1
    assert_spikes(run, share=0.5)


def test_permanent_spikes(compare_chips, chip_kit):
    block = chip_kit.block(3, vth=200)
    synapse = chip_kit.synapse(block, [[64, 0, 0], [0, 128, 0], [0, 0, 300]])
    spiked = np.eye(3, dtype=int)[np.arange(30) % 3]
    kept = chip_kit.spikes(3, spiked, permanent=True)
    taken = chip_kit.spikes(3, spiked[::-1])
    for lines in (kept, taken):
        chip_kit.axon(lines, synapse)
    model = chip_kit.model(inputs=[kept, taken], blocks=[block])
    run = compare_chips(model, 30)
    assert_spikes(run, share=1)
    assert kept.spikes and not taken.spikes.keys() - {30}


@pytest.mark.parametrize("repeated", [False, True])
def test_events_of_a_camera(repeated, tmp_path, compare_simulators):
    rng, n_steps, n_pixels = np.random.default_rng(18), 40, 4 * 6
    events = DVSEvents()
    # In microseconds. Of a pixel there is one in each step, or one of each polarity.
    events.init_events(n_events=n_steps * n_pixels)
    events.events["t"] = np.repeat(1000 * np.arange(n_steps) + 500, n_pixels)
    events.events["x"] = np.tile(np.arange(n_pixels) % 6, n_steps)
    events.events["y"] = np.tile(np.arange(n_pixels) // 6, n_steps)
    events.events["p"] = rng.integers(0, 2, n_steps * n_pixels)
    path = str(tmp_path / "camera.events")
    events.write_file(path)
    process = DVSFileChipProcess(
        file_path=path,
        dvs_height=4,
        dvs_width=6,
        # Four pixels in one: events of a step become several spikes on a line.
        pool=(2, 2) if repeated else (1, 1),
    )
    with nengo.Network(seed=19) as net:
        seen = ensemble(8, neuron_type=nengo.SpikingRectifiedLinear())
        weights = rng.uniform(0, 0.01, (8, process.size))
        nengo.Connection(nengo.Node(process), seen.neurons, transform=weights)
        nengo.Probe(seen.neurons)
    run = compare_simulators(net, n_steps, chunks=[1, 5, 34])
    (lines,) = run.theirs.model.inputs
    spikes = [len(i) - len(set(i)) for i in lines.spikes.values()]
    assert (max(spikes) > 0) == repeated
    assert_spikes(run, share=0.9)


def test_of_two_synapses_for_one_target_the_last_counts(compare_chips, chip_kit):
    block = chip_kit.block(3, vth=2**12)
    synapse = chip_kit.synapse(
        block, [[[5, 7, 11]], [[1, 2, 4]]], [[[0, 2, 0]], [[1, 1, 1]]]
    )
    lines = chip_kit.spikes(2, [[1, 0], [0, 1], [1, 1]])
    chip_kit.axon(lines, synapse)
    run = compare_chips(chip_kit.model(inputs=[lines], blocks=[block]), 4)
    expected = [[0, 0, 0], [11, 0, 7], [0, 4, 0], [11, 4, 7]]
    assert run.ours["current"].tolist() == expected
