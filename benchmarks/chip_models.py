"""Chip models in integers, made by hand, of any size."""

from types import SimpleNamespace

import numpy as np
from networks import DT_S, distinct

# isort: split
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.inputs import SpikeInput

# No leak, and a threshold as NengoLoihi's rounding gives it.
NO_MEMORY, THRESHOLD, WEIGHT_STEP, VOLTAGE_MAX = 4095, 2**18, 2**7, 2**23 - 1


def scaling(n_neurons=1000, activity=0.05, *, fan_out=100, per_block=1000, seed=0):
    """
    Make a recurrent chip model in integers by hand, of any size.

    Half of a neuron's synapses are in its own block and half in the next one, which
    keeps every block within a core. A bias makes a neuron spike in about ``activity``
    of the steps, once ``2 / activity`` of them have passed; the weights, of both
    signs, only jitter it. Lines from outside reach the first block, one for every
    ten of its neurons.

    Returns
    -------
    types.SimpleNamespace
        What NengoLoihi's `EmulatorInterface` reads of a model: ``blocks``,
        ``inputs``, ``probes`` (none) and ``dt``.
    """
    rng = np.random.default_rng(seed)
    n_blocks = -(-n_neurons // per_block)
    edges = np.linspace(0, n_neurons, n_blocks + 1).astype(int)
    blocks = [
        _integer_block(int(n), activity, f"block{i}", rng)
        for i, n in enumerate(np.diff(edges))
    ]
    for i, block in enumerate(blocks):
        _join(block, block, block.n_neurons, fan_out // 2, rng)
        follower = blocks[(i + 1) % n_blocks]
        _join(block, follower, block.n_neurons, fan_out - fan_out // 2, rng)
    n_lines = max(1, blocks[0].n_neurons // 10)
    lines = SpikeInput(n_lines, label="lines")
    _join(lines, blocks[0], n_lines, fan_out, rng)
    return SimpleNamespace(blocks=blocks, inputs=[lines], probes=[], dt=DT_S)


def joined(ways, n_blocks, activity=0.05, *, per_block=16, fan_out=8, seed=0):
    """
    Make a chip model of small blocks, by hand, with given ways between them.

    Parameters
    ----------
    ways : iterable of (int, int)
        From every neuron of the first block ``fan_out`` synapses onto the second.
    n_blocks : int
    activity, seed
        As in `scaling`; but each block has an activity of its own, from nearly none
        to twice as much.
    per_block, fan_out : int

    Returns
    -------
    types.SimpleNamespace
        As of `scaling`; lines reach the first block.
    """
    rng = np.random.default_rng(seed)
    blocks = [
        _integer_block(per_block, activity * rng.uniform(0.1, 2), f"block{i}", rng)
        for i in range(n_blocks)
    ]
    for source, end in ways:
        _join(blocks[source], blocks[end], per_block, fan_out, rng)
    lines = SpikeInput(per_block, label="lines")
    _join(lines, blocks[0], per_block, fan_out, rng)
    return SimpleNamespace(blocks=blocks, inputs=[lines], probes=[], dt=DT_S)


def set_activity(model, activity, *, seed=0):
    """Give a model of `scaling` the biases for another activity, in place."""
    rng = np.random.default_rng(seed)
    for block in model.blocks:
        block.compartment.bias[:] = _biases(block.n_neurons, activity, rng)


def _integer_block(n_neurons, activity, label, rng):
    block = LoihiBlock(n_neurons, label=label)
    values = {
        "decay_u": NO_MEMORY,
        "decay_v": 0,
        "vth": THRESHOLD,
        "bias": _biases(n_neurons, activity, rng),
        "refract_delay": 1,
    }
    for name, value in values.items():
        array = np.full(n_neurons, value, dtype=np.int32)
        setattr(block.compartment, name, array)
    block.compartment.vmin, block.compartment.vmax = -VOLTAGE_MAX, VOLTAGE_MAX
    block.compartment.scale_u = block.compartment.scale_v = False
    return block


def _biases(n_neurons, activity, rng):
    # A spike loses the voltage above the threshold: half a step's drive on average.
    drive = THRESHOLD * activity / (1 - activity / 2)
    return np.round(drive * rng.uniform(0.7, 1.3, n_neurons))


def _join(source, block, n_axons, fan_out, rng):
    """Give a source ``fan_out`` synapses for each of its axons onto a block."""
    n_targets = block.n_neurons
    targets = distinct(n_axons, n_targets, min(fan_out, n_targets), rng)
    steps = rng.integers(-127, 128, targets.shape)
    synapse = Synapse(n_axons, label=f"{source.label}_to_{block.label}")
    synapse._set_weights_indices(
        list((WEIGHT_STEP * steps).astype(np.int32)[:, None]),
        list(targets.astype(np.int32)[:, None]),
        weight_dtype=np.int32,
        compression=3,
    )
    synapse.format(weight_exp=0)
    block.add_synapse(synapse)
    axon = Axon(n_axons, label=synapse.label)
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(n_axons, dtype=np.int32))
    source.add_axon(axon)
