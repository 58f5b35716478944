"""A deployed network as a file: its integers, where they are, what was found so far."""

import shlex
from dataclasses import replace
from pathlib import Path

from nengo_hybrid.bundle import archive
from nengo_hybrid.bundle.archive import (
    DEPLOYED,
    damage_named,
    read_archive,
    write_archive,
)
from nengo_hybrid.bundle.checks import check_deployed
from nengo_hybrid.bundle.trained import TRAINED_NAME
from nengo_hybrid.bundle.values import put_together, take_apart
from nengo_hybrid.chip_numbers import ChipNumbers
from nengo_hybrid.deployed import ChipRun, Deployed
from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.graded_trace import GradedTrace, IntegerRange
from nengo_hybrid.graphs import (
    AxonGroup,
    Block,
    Convolution,
    Dynamics,
    GradedGraph,
    GradedPopulation,
    GradedProjection,
    Learning,
    Noise,
    Population,
    Probe,
    Projection,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
    Widths,
)
from nengo_hybrid.placement import PlacedBlock, Placement, Route, Utilization
from nengo_hybrid.targets import Sourced, Target
from nengo_hybrid.trace import PopulationTrace, Trace

# What a deployed network is made of.
TYPES = (
    *(Deployed, ChipRun, ChipNumbers, Target, Sourced),
    *(SpikingGraph, Population, Projection, Dynamics, Convolution),
    *(QuantizedGraph, Block, SynapseGroup, AxonGroup, SpikeInput),
    *(Learning, Noise, Probe),
    *(GradedGraph, GradedPopulation, GradedProjection, Widths),
    *(Placement, PlacedBlock, Route, Utilization),
    *(Trace, PopulationTrace, GradedTrace, IntegerRange),
)
# What adds a part of it.
COMMANDS = {"run": "emulate", "estimate": "estimate"}
# Of the compression: spikes of a run take long at the highest.
LEVEL = 6


def deployed_path(trained, target):
    """
    Name a deployed network by its target, beside the trained one.

    Parameters
    ----------
    trained : path-like
        File of the trained network.
    target : Target

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from nengo_hybrid.targets import load_target
    >>> print(deployed_path("run/bundle.zip", load_target("loihi1")))
    run/loihi1.zip
    >>> print(deployed_path("a/net.zip", load_target("loihi2")))
    a/net-loihi2.zip
    """
    trained = Path(trained)
    stem = "" if trained.name == TRAINED_NAME else f"{trained.stem}-"
    return trained.with_name(f"{stem}{target.name}.zip")


def save_deployed(deployed, path):
    """
    Write a deployed network, in one step: readers see the old file or the new one.

    Parameters
    ----------
    deployed : Deployed
    path : path-like

    Returns
    -------
    pathlib.Path

    Raises
    ------
    BundleError
        If it cannot be written.
    """
    plain, arrays = take_apart(replace(deployed, about={}, estimate=None))
    content = {
        "about": deployed.about,
        "graph_sha256": deployed.quantized.sha256,
        "deployed": plain,
        "estimate": deployed.estimate,
    }
    return write_archive(path, DEPLOYED, content, arrays, level=LEVEL)


def check_room(deployed, n_samples, n_input_steps):
    """
    See that a run will fit into a file, before it is made.

    Parameters
    ----------
    deployed : Deployed
    n_samples : int
    n_input_steps : int
        Steps of the input of each sample.

    Raises
    ------
    BundleError
        If it does not, with how many samples would.
    """
    if deployed.is_graded:
        return  # Its trace has no steps.
    graph = deployed.quantized
    injected = {lines.population for lines in graph.inputs}
    n_injected = sum(graph.host.population(name).n_neurons for name in injected)
    # As emulated: spikes in a byte, injected ones in two; active compartments of each
    # block in four, of each population in 16 with those that are not.
    populations = {block.population for block in graph.blocks} | injected
    per_step = graph.n_compartments + 2 * n_injected
    per_step += 4 * len(graph.blocks) + 16 * len(populations)
    per_sample = per_step * graph.chip_time_steps(n_input_steps)
    if n_samples * per_sample > archive.LARGEST_BYTES:
        raise BundleError(
            f"a run of {n_samples:,} samples takes {n_samples * per_sample:,} bytes, "
            f"and a bundle may have {archive.LARGEST_BYTES:,}; emulate at most "
            f"--samples {archive.LARGEST_BYTES // per_sample}"
        )


def load_deployed(path, *, needed=()):
    """
    Read a deployed network; nothing of it is executed.

    Needs neither TensorFlow nor NengoLoihi.

    Parameters
    ----------
    path : path-like
    needed : iterable of str
        Of "run" and "estimate", what it has to have.

    Returns
    -------
    Deployed
        Equal to what was written, bit for bit.

    Raises
    ------
    BundleError
        If it is missing, damaged, too large, of another kind or of another schema, or
        has not what is needed.
    """
    manifest, arrays = read_archive(path, DEPLOYED)
    with damage_named(path):
        deployed = replace(
            put_together(manifest["deployed"], arrays, TYPES),
            about=manifest["about"],
            estimate=manifest["estimate"],
        )
        check_deployed(deployed, manifest["graph_sha256"])
    for part in needed:
        if getattr(deployed, part) is None:
            raise BundleError(
                f"bundle {path} has no {part} yet; run "
                f"`nengo-hybrid {COMMANDS[part]} {shlex.quote(str(path))}` first"
            )
    return deployed
