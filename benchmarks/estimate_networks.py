"""Networks as placements, made from their published sizes alone, without weights."""

import numpy as np

from nengo_hybrid.placement import PlacedBlock, Placement, Route, Utilization
from nengo_hybrid.targets import load_target

TARGET = "loihi1"


class Layers:
    """
    Layers that are connected all to all, split over as many cores as they need.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target=None):
        self.target = load_target(TARGET) if target is None else target
        self.blocks, self.routes, self.sizes = [], [], {}

    def inject(self, name, n_neurons):
        """Add a population that the host injects."""
        self.sizes[name] = n_neurons

    def add(self, name, n_neurons, n_inputs, *, per_core=None):
        """
        Add a layer on the next free cores.

        Parameters
        ----------
        name : str
        n_neurons : int
        n_inputs : int
            Neurons that are connected to each of it.
        per_core : int
            Neurons on a core; by default as many as its limits allow.
        """
        limit = self.target.limit
        bits = n_inputs * self.target.format("weight_mixed_sign_bits")
        memory = limit("synapse_memory_per_core")
        fitting = min(limit("compartments_per_core"), memory // max(bits, 1))
        per_core = fitting if per_core is None else per_core
        self.sizes[name] = n_neurons
        for start in range(0, n_neurons, per_core):
            neurons = np.arange(start, min(start + per_core, n_neurons))
            core = len(self.blocks)
            used = Utilization(
                (len(neurons), limit("compartments_per_core")),
                (n_inputs, limit("input_axons_per_core")),
                (len(neurons), limit("output_axons_per_core")),
                (bits * len(neurons), memory),
            )
            chip, core = divmod(core, limit("cores_per_chip"))
            block = PlacedBlock(f"{name}[{start}]", name, neurons, chip, core, used)
            self.blocks.append(block)

    def connect(self, pre, post):
        """Connect all neurons of one layer, or of what is injected, to another's."""
        ends = [i for i, b in enumerate(self.blocks) if b.population == post]
        starts = [i for i, b in enumerate(self.blocks) if b.population == pre]
        parts = [(i, self.blocks[i].neurons) for i in starts]
        for source, neurons in parts or [(None, np.arange(self.sizes[pre]))]:
            for end in ends:
                n_synapses = len(self.blocks[end].neurons)
                messages = np.ones(len(neurons), np.int64)
                route = Route(
                    pre, neurons, source, end, messages, n_synapses * messages
                )
                self.routes.append(route)

    def place(self):
        """Return the placement."""
        return Placement(self.target.name, tuple(self.blocks), tuple(self.routes))


def feed_forward(sizes):
    """
    Place layers one after the other; the host injects the first.

    Returns
    -------
    placement : Placement
    names : list of str
    """
    layers, names = Layers(), [f"layer {i}" for i in range(len(sizes))]
    layers.inject(names[0], sizes[0])
    for i in range(1, len(sizes)):
        layers.add(names[i], sizes[i], sizes[i - 1])
        layers.connect(names[i - 1], names[i])
    return layers.place(), names


def branches(n_branches, n_layers, n_per_layer):
    """
    Place branches of layers between one input, which the host injects, and an output.

    Returns
    -------
    placement : Placement
    names : list of str
    """
    layers, names = Layers(), ["input", "output"]
    layers.inject("input", n_per_layer)
    layers.add("output", n_per_layer, n_per_layer, per_core=n_per_layer)
    for branch in range(n_branches):
        before = "input"
        for layer in range(n_layers):
            name = f"branch {branch}, layer {layer}"
            layers.add(name, n_per_layer, n_per_layer)
            layers.connect(before, name)
            names.append(name)
            before = name
        layers.connect(before, "output")
    return layers.place(), names


def search(n_patterns, n_lines, n_chips, cores_per_chip):
    """
    Place patterns that all listen to the same injected lines.

    Returns
    -------
    Placement
    """
    layers = Layers()
    layers.inject("lines", n_lines)
    per_core = n_patterns // (n_chips * cores_per_chip)
    layers.add("patterns", n_patterns, n_lines, per_core=per_core)
    layers.connect("lines", "patterns")
    placed = layers.place()
    blocks = []
    for i, block in enumerate(placed.blocks):
        chip, core = divmod(i, cores_per_chip)
        fields = {**vars(block), "chip": chip, "core": core}
        blocks.append(PlacedBlock(**fields))
    return Placement(placed.target, tuple(blocks), placed.routes)


def scattered(n_neurons, synapses_per_neuron, *, per_block, n_ends, seed=0):
    """
    Place blocks of which each sends to some others, drawn at random.

    Parameters
    ----------
    n_neurons, synapses_per_neuron : int
    per_block : int
        Neurons of a block; divides ``n_neurons``.
    n_ends : int
        Blocks that each block sends to; divides ``synapses_per_neuron``.
    seed : int

    Returns
    -------
    Placement
        Of one population, "net".
    """
    rng, layers = np.random.default_rng(seed), Layers()
    layers.add("net", n_neurons, 0, per_core=per_block)
    n_blocks = len(layers.blocks)
    for source, block in enumerate(layers.blocks):
        for end in rng.integers(n_blocks, size=n_ends).tolist():
            messages = np.ones(per_block, np.int64)
            synapses = np.full(per_block, synapses_per_neuron // n_ends)
            route = Route("net", block.neurons, source, end, messages, synapses)
            layers.routes.append(route)
    return layers.place()
