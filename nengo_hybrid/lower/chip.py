"""
NengoLoihi's chip model, once rounded to integers, as a `QuantizedGraph`.

What is read is copied: a graph does not change when the model does.
"""

import re

import numpy as np
from nengo_loihi.builder import Model
from nengo_loihi.probe import ProbeFilter
from nengo_loihi.simulator import Timers  # noqa: F401 (for who simulates)

from nengo_hybrid.exceptions import LowerError
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
from nengo_hybrid.names import plain_name, unique_names

PROBED = ("spiked", "voltage", "current")
SPLIT_SUFFIX = re.compile(r"\[[^\[\]]*\]$")


def read_chip(model, *, target="loihi1"):
    """
    Read a chip model that NengoLoihi's builder made, or one made by hand.

    Inputs, blocks and probes keep the order they have in the model. A step of the
    input is a step of the chip; each input is a population of the host's part.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
        Built and discretized.
    target : str
        Name of the target, for the record.

    Returns
    -------
    QuantizedGraph

    Raises
    ------
    LowerError
        If the model has no blocks or still holds floats, if synapses learn whose
        axons share weights, or if a probe reads what compartments do not have.
    """
    blocks = list(model.blocks)
    check_blocks(blocks)
    inputs = read_inputs(_named_inputs(model), blocks)
    populations = tuple(Population(i.name, i.n_lines, "input") for i in inputs)
    owners = _owners(model, blocks)
    error_scale = float(getattr(model, "pes_error_scale", 1.0))
    return QuantizedGraph(
        target=target,
        host=SpikingGraph(float(model.dt), populations, (), ""),
        host_reasons={p.name: "its spikes come from the host" for p in populations},
        chip_steps=1,
        latency_steps=0,
        inputs=inputs,
        blocks=read_blocks(blocks, owners, error_scale=error_scale),
        output="",
        errors={},
        probes=tuple(_read_probe(p, blocks) for p in model.probes),
    )


def check_blocks(blocks):
    """
    Check that blocks can be emulated in integers.

    Raises
    ------
    LowerError
        If there are none, or one still holds floats.
    """
    if not blocks:
        raise LowerError(
            "the model has nothing on the chip; put at least one ensemble there"
        )
    for block in blocks:
        dtypes = {block.compartment.vth.dtype, block.compartment.bias.dtype}
        dtypes |= {w.dtype for s in block.synapses for w in s.weights}
        if dtypes != {np.dtype(np.int32)}:
            found = ", ".join(sorted(map(str, dtypes)))
            raise LowerError(
                f"block {_label(block)!r} needs integers of 32 bits, got {found}; "
                "discretize the model first (target='sim', not 'simreal')"
            )


def _named_inputs(model):
    """Return the model's inputs by name; the second of a name gets a number."""
    names = unique_names([_label(i, "input") for i in model.inputs])
    return dict(zip(names, model.inputs, strict=True))


def _label(part, otherwise="unnamed"):
    """Name a part of the model, with nothing in it that changes from run to run."""
    return otherwise if part.label is None else plain_name(part.label)


def _owners(model, blocks):
    """Tell the population of each block, and which of its neurons the block has."""
    numbers = {id(block): i for i, block in enumerate(blocks)}
    parts = {i: (i,) for i in range(len(blocks))}
    for objects in getattr(model, "objs", {}).values():
        for found in objects.values():
            if isinstance(found, list) and all(id(b) in numbers for b in found):
                group = tuple(numbers[id(block)] for block in found)
                parts.update(dict.fromkeys(group, group))
    groups = list(dict.fromkeys(parts[i] for i in range(len(blocks))))
    names = unique_names([_group_name(blocks, group) for group in groups])
    neurons = getattr(model, "block_comp_map", {})
    return [
        (names[groups.index(parts[i])], _neurons(block, neurons))
        for i, block in enumerate(blocks)
    ]


def _group_name(blocks, group):
    label = _label(blocks[group[0]])
    return SPLIT_SUFFIX.sub("", label) if len(group) > 1 else label


def _neurons(block, neurons):
    known = neurons.get(block)
    indices = range(block.n_neurons) if known is None else known
    return np.array(list(indices), dtype=np.int64)


def read_inputs(named, blocks):
    """Read spike inputs by name, with the axons from their lines onto blocks."""
    homes = _homes(blocks)
    return tuple(
        SpikeInput(
            name=name,
            population=name,
            n_lines=lines.n_neurons,
            axons=_read_axons(lines.axons, lines.n_neurons, homes),
        )
        for name, lines in named.items()
    )


def read_blocks(blocks, owners, *, error_scale=1.0):
    """
    Read blocks.

    Parameters
    ----------
    blocks : list of nengo_loihi.block.LoihiBlock
        All of a model, in integers.
    owners : list of (str, array)
        Population of each block, and which of its neurons the block has.
    error_scale : float
        Of errors for synapses that learn.

    Returns
    -------
    tuple of Block
    """
    homes = _homes(blocks)
    return tuple(
        _read_block(block, *owner, homes, error_scale)
        for block, owner in zip(blocks, owners, strict=True)
    )


def _homes(blocks):
    """Find synapses: index of the block, and of the synapses within it."""
    return {
        id(synapse): (b, s)
        for b, block in enumerate(blocks)
        for s, synapse in enumerate(block.synapses)
    }


def _read_block(block, population, neurons, homes, error_scale):
    compartment = block.compartment
    return Block(
        name=_label(block),
        population=population,
        neurons=neurons,
        decay_u=compartment.decay_u.copy(),
        decay_v=compartment.decay_v.copy(),
        vth=compartment.vth.copy(),
        bias=compartment.bias.copy(),
        refract_delay=compartment.refract_delay.copy(),
        vmin=int(compartment.vmin),
        vmax=int(compartment.vmax),
        synapses=tuple(_read_synapse(s, block, error_scale) for s in block.synapses),
        axons=_read_axons(block.axons, block.n_neurons, homes),
        noise=_read_noise(compartment),
    )


def _read_noise(compartment):
    if not np.any(compartment.enable_noise):
        return None
    return Noise(
        enabled=np.array(compartment.enable_noise, dtype=bool),
        exponent=int(compartment.noise_exp),
        offset=int(compartment.noise_offset),
        at_membrane=bool(compartment.noise_at_membrane),
    )


def _read_synapse(synapse, block, error_scale):
    axons = np.arange(synapse.n_axons)
    rows, bases = synapse.axon_to_weight_map, synapse.axon_compartment_bases
    return SynapseGroup(
        name=_label(synapse),
        weights=tuple(w.copy() for w in synapse.weights),
        indices=tuple(i.copy() for i in synapse.indices),
        row_of_axon=axons if rows is None else np.array([rows[a] for a in axons]),
        base_of_axon=0 * axons if bases is None else np.array(bases),
        memory_bits=int(synapse.bits()),
        weight_exponent=int(synapse.synapse_cfg.weight_exp),
        learning=_read_learning(synapse, block, error_scale),
    )


def _read_learning(synapse, block, error_scale):
    if not synapse.learning:
        return None
    if synapse.axon_to_weight_map is not None:
        raise LowerError(
            f"synapses {_label(synapse)!r} onto block {_label(block)!r} learn, "
            "so each axon needs weights of its own; they share weights"
        )
    if any((np.diff(np.sort(i, axis=1), axis=1) == 0).any() for i in synapse.indices):
        raise LowerError(
            f"synapses {_label(synapse)!r} onto block {_label(block)!r} learn, "
            "so an axon may reach a compartment only once; one is reached twice"
        )
    return Learning(
        rate_mantissa=int(synapse._lr_int),
        rate_exponent=int(synapse._lr_exp),
        weight_exponent=int(synapse.synapse_cfg.real_weight_exp),
        shift_bits=int(synapse.synapse_cfg.shift_bits),
        trace_tau=int(synapse.tracing_tau),
        trace_increment=float(synapse.tracing_mag),
        trace_epoch=int(synapse.train_epoch),
        weight_epoch=int(synapse.learn_epoch),
        error_scale=error_scale,
    )


def _read_axons(axons, n_neurons, homes):
    neurons = np.arange(n_neurons)
    found = []
    for axon in axons:
        block, synapses = homes[id(axon.target)]
        axon_map, atoms = axon.compartment_map, axon.compartment_atoms
        found.append(
            AxonGroup(
                target_block=block,
                target_synapses=synapses,
                axon_of_neuron=np.array(
                    neurons if axon_map is None else axon_map, dtype=np.int64
                ),
                atom_of_neuron=np.array(
                    0 * neurons if atoms is None else atoms, dtype=np.int64
                ),
                n_slots=int(axon.axon_slots()),
            )
        )
    return tuple(found)


def _read_probe(probe, blocks):
    if probe.key not in PROBED:
        raise LowerError(
            f"a probe reads {probe.key!r}; compartments have {', '.join(PROBED)}"
        )
    numbers = {id(block): i for i, block in enumerate(blocks)}
    parts = tuple(
        (numbers[id(block)], np.arange(block.n_neurons)[which])
        for block, which in zip(probe.target, probe.slice, strict=True)
    )
    name = f"{probe.key} of {', '.join(_label(blocks[b]) for b, _ in parts)}"
    return Probe(name=name, variable=probe.key, parts=parts)


def build_chip(network, *, dt, model=None, precompute=None, remove_passthrough=True):
    """
    Let NengoLoihi build a network: what is on the chip, in integers, and the host's.

    Parameters
    ----------
    network : nengo.Network
    dt : float
        Length of a time step, in seconds.
    model : nengo_loihi.builder.Model, optional
        Built into; by default a new one.
    precompute : bool, optional
    remove_passthrough : bool
        As in NengoLoihi's simulator.

    Returns
    -------
    nengo_loihi.builder.Model

    Raises
    ------
    LowerError
        If the model is not NengoLoihi's, or for another time step.
    """
    if model is None:
        model = Model(dt=float(dt), label=f"{network}, dt={dt:f}")
    if not isinstance(model, Model) or model.dt != dt:
        raise LowerError(
            f"model has to be a nengo_loihi.builder.Model with dt={dt}, got {model} "
            f"with dt={getattr(model, 'dt', None)}"
        )
    model.build(
        network,
        precompute=precompute,
        remove_passthrough=remove_passthrough,
        discretize=True,
    )
    return model


def probe_filter(dt):
    """
    Make NengoLoihi's filter for what probes read of one sample.

    Parameters
    ----------
    dt : float
        Length of a time step, in seconds.

    Returns
    -------
    callable
        From the probe and values (n_steps, size) to filtered values; keeps its state.
    """
    return ProbeFilter(dt=dt)
