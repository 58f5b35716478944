"""The order of the stages, and nothing else: the only module that knows them all."""

import platform
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from nengo_hybrid import datasets, emulate, hardware, report, results
from nengo_hybrid.bundle import Bundle, save_bundle
from nengo_hybrid.estimate import count_dense, estimate
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import (
    BuildError,
    DataError,
    EmulateError,
    QuantizeError,
    TargetError,
)
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.lower import to_graph, to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.metrics import accuracy
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.one_bit import to_one_bit
from nengo_hybrid.quantize import quantize
from nengo_hybrid.recipe import check_chip, is_by_name, load_targets
from nengo_hybrid.step_runs import check_split, compare_steps
from nengo_hybrid.train import Smoothing, train

DATASETS = {"digits": datasets.digits, "mnist": datasets.mnist}
PACKAGES = ("nengo", "nengo-dl", "nengo-loihi", "numpy", "tensorflow", "tf-keras")
BACKENDS = {"emulator": emulate.run, "nengo-loihi": hardware.run}
STAMP = "emulated, not measured"
# Samples by which ranges are chosen.
N_CALIBRATED = 256
# Training samples that tell how many one-bit neurons take the place of one.
N_SIZED = 12_000


@dataclass(frozen=True)
class Deployed:
    """A trained network as a target runs it."""

    graph: object
    quantized: object
    placement: object
    target: object


def train_recipe(recipe, *, seed=0, progress=True, checkpoints=None, resume=False):
    """
    Build the network of a recipe and train it.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    progress : bool
    checkpoints, resume
        As in `train`.

    Returns
    -------
    data : Dataset
    trained : Trained
    """
    if recipe.dataset not in DATASETS:
        raise DataError(
            f"recipe {recipe.name} needs a dataset of {', '.join(DATASETS)}, got "
            f"{recipe.dataset!r}"
        )
    data = DATASETS[recipe.dataset](seed)
    network = SequenceClassifier(
        data.train.x, data.n_classes, seed=seed, **recipe.network
    )
    trained = train(
        network,
        data,
        smoothing=_smoothing(recipe),
        readout_steps=recipe.network["readout_steps"],
        seed=seed,
        progress=progress,
        checkpoints=checkpoints,
        resume=resume,
        **recipe.training,
    )
    return data, trained


def _smoothing(recipe):
    """Return a recipe's smoothing, as `train` takes it."""
    values = recipe.smoothing
    if is_by_name(values):
        return {name: Smoothing(**part) for name, part in values.items()}
    return None if values is None else Smoothing(**values)


def train_into(recipe, folder, *, seed=0, resume=False, progress=True, on_sample=None):
    """
    Train the network of a recipe, try it on the test set, and keep it as a bundle.

    Parameters
    ----------
    recipe : Recipe
    folder : path-like
        Gets ``checkpoints`` and ``bundle.zip``.
    seed : int
    resume : bool
        Go on from the newest checkpoint.
    progress : bool
        Whether training draws its progress bar.
    on_sample : callable, optional
        Called as ``on_sample(n_done, n_samples)`` while the test set is run.

    Returns
    -------
    Bundle
    """
    folder, started = Path(folder), time.monotonic()
    _check_one_bit(recipe)
    data, trained = train_recipe(
        recipe,
        seed=seed,
        progress=progress,
        checkpoints=folder / "checkpoints",
        resume=resume,
    )
    trained_s = time.monotonic() - started
    network, steps = trained.network, trained.readout_steps
    graph, options = to_graph(network, dt=trained.dt), {"readout_steps": steps}
    rates = results.rate_answers(graph, data.test.x, steps)
    if recipe.one_bit:
        sizes = _one_bit_sizes(graph, data.train.head(N_SIZED), seed, options)
        graph = to_graph(to_one_bit(network, sizes), dt=trained.dt)
    found = evaluate(graph, data.test, seed=seed, progress=on_sample, **options)
    about = {
        "recipe": asdict(recipe),
        "seed": seed,
        "versions": versions(),
        "data_sha256": data.sha256,
        "readout_steps": steps,
        "best_epoch": trained.best_epoch,
        "history": trained.history,
        "n_trained": sum(
            np.size(value)
            for name, value in trained.parameters.items()
            if not name.endswith(".omega")
        ),
        "accuracy": {
            "validation": trained.history["val_accuracy"][trained.best_epoch],
            "rate": accuracy(rates, data.test.y),
            "test": found.accuracy,
            "n_test": len(data.test),
        },
        **found.to_json(),
        "wall_s": {"train": trained_s, "all": time.monotonic() - started},
    }
    bundle = Bundle(graph, about)
    save_bundle(bundle, folder / "bundle.zip")
    return bundle


def _check_one_bit(recipe):
    """Refuse to turn what is not quantized into spikes of one bit."""
    built = {"omega_readout": 1, "omega_hidden": 1, "omega_output": 1}
    settings = built | recipe.network
    omegas = [value for name, value in settings.items() if name.startswith("omega_")]
    if recipe.one_bit and not any(omegas):
        raise BuildError(
            f"recipe {recipe.name} asks for one_bit, but nothing in its network is "
            "quantized; give it an omega, or one_bit false"
        )


def _one_bit_sizes(graph, split, seed, options):
    """Return the neurons that each needed on some samples, and a quarter and one."""
    largest = evaluate(graph, split, seed=seed, **options).largest
    return {name: sizes + sizes // 4 + 1 for name, sizes in largest.items()}


def deploy(trained, target, *, chip_steps=4, calibration=None):
    """
    Lower a trained network, quantize it for a target, and place it.

    Parameters
    ----------
    trained : Trained
    target : Target
    chip_steps : int
        Time steps of the chip for every step of the network, where spikes have one
        bit; with graded spikes, as few as the network's loops allow.
    calibration : (n_samples, n_steps, size_in) array
        Input by which a target with graded spikes has its ranges chosen, such as that
        of the training set; the first `N_CALIBRATED` samples are taken.

    Returns
    -------
    Deployed

    Raises
    ------
    QuantizeError
        If calibration data are needed and missing, or the network has no program.
    LowerError, PlacementError
        If it cannot be lowered, or does not fit.
    """
    graph = to_graph(trained.network, dt=trained.dt)
    if is_graded(target):
        if calibration is None:
            raise QuantizeError(
                f"target {target.name!r} has graded spikes, whose ranges are chosen on "
                "data; pass calibration=data.train.x"
            )
        quantized = quantize(graph, target, calibration[:N_CALIBRATED])
    else:
        quantized = to_loihi(graph, target=target.name, chip_steps=chip_steps)
    return Deployed(graph, quantized, place(quantized, target), target)


def run_deployed(deployed, x, *, backend="emulator", seed=0, progress=None):
    """
    Run the host's part in floats, and the chip's part on a backend.

    Parameters
    ----------
    deployed : Deployed
    x : (n_samples, n_steps, size_in) array
    backend : str
        "emulator" is our own, compiled and in parallel over the samples;
        "nengo-loihi" is NengoLoihi's, which gives the same spikes.
    seed : int
        Of the host's initial voltages.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` after every sample.

    Returns
    -------
    Trace or GradedTrace

    Raises
    ------
    EmulateError
        If the backend is unknown, or the run fails.
    """
    graded = is_graded(deployed.target)
    known = ["emulator"] if graded else list(BACKENDS)
    if backend not in known:
        raise EmulateError(
            f"run_deployed knows the backends {', '.join(known)} for target "
            f"{deployed.target.name!r}; got {backend!r}"
        )
    if graded:
        return emulate.run_graded(deployed.quantized, x, progress=progress)
    return BACKENDS[backend](
        deployed.quantized,
        deployed.placement,
        _host_counts(deployed, x, seed),
        target_sha256=deployed.target.sha256,
        seed=seed,
        progress=progress,
    )


def is_graded(target):
    """Tell whether the spikes of a target carry a payload."""
    return bool(target.format("spike_payload_bits"))


def _host_counts(deployed, x, seed):
    """Run the host's part; return the spike counts that it injects."""
    host = deployed.quantized.host
    injected = [lines.population for lines in deployed.quantized.inputs]
    return run_graph(host, x, seed=seed, record=injected)


def waterfall(trained, target, split, *, chip_steps=4, seed=0):
    """
    Tell where accuracy is lost on the way from rates to integers on the chip.

    Parameters
    ----------
    trained : Trained
    target : Target
    split : nengo_hybrid.datasets.Split
        Such as ``data.test``.
    chip_steps : int
        Time steps of the chip for every step of the network.
    seed : int
        Of initial voltages, drawn anew for every sample.

    Returns
    -------
    Waterfall
        Its last row is what `deploy` and `run_deployed` do.

    Raises
    ------
    TargetError
        If no network is mapped onto the target.
    DataError, ShapeError
        If there are no samples, or they do not fit the network.
    LowerError, PlacementError, EmulateError
        If the network cannot be deployed, or its run fails.
    """
    check_chip(target)
    if is_graded(target):
        raise TargetError(
            f"target {target.name!r} has graded spikes, whose steps the waterfall does "
            "not know; needed one of one-bit spikes, such as loihi1"
        )
    graph = to_graph(trained.network, dt=trained.dt)
    check_split(split, graph, trained.readout_steps)
    deployed = deploy(trained, target, chip_steps=chip_steps)
    trace = run_deployed(deployed, split.x, seed=seed)
    return _waterfall(trained, deployed, trace, split, seed)


def _waterfall(trained, deployed, trace, split, seed):
    host_counts = _host_counts(deployed, split.x, seed)
    return compare_steps(
        deployed.graph,
        deployed.quantized,
        trace,
        host_counts,
        split,
        readout_steps=trained.readout_steps,
        seed=seed,
    )


def run_recipe(recipe, *, seed=0, progress=True, on_sample=None):
    """
    Go the whole way: build, train, deploy, emulate, estimate.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    progress : bool
        Whether training draws its progress bar.
    on_sample : callable, optional
        Called as ``on_sample(n_done, n_samples)`` while the chip is emulated.

    Returns
    -------
    dict
        The report, schema 1.
    """
    target, others = load_targets(recipe)
    # A chip that the network was not mapped onto has no counts to be priced.
    others = [t for t in others if t.kind != "neuromorphic" or t.chip == target.chip]
    data, trained = train_recipe(recipe, seed=seed, progress=progress)
    deployed = deploy(
        trained,
        target,
        chip_steps=recipe.deployment["chip_steps"],
        calibration=data.train.x,
    )
    trace = run_deployed(deployed, data.test.x, seed=seed, progress=on_sample)
    waterfall = {}
    if not is_graded(target):
        found = _waterfall(trained, deployed, trace, data.test, seed)
        waterfall["waterfall"] = found.to_json()
    priced = estimate(
        deployed.placement,
        trace,
        target,
        dense=count_dense(deployed.graph, data.n_steps),
        compare=others,
    )
    return {
        "recipe": recipe.name,
        "target": target.name,
        "backend": trace.backend,
        "seed": seed,
        "versions": versions(),
        "data_sha256": data.sha256,
        "stamp": STAMP,
        **results.behaviour(trained, deployed, trace, data, seed),
        **waterfall,
        "resources": results.resources(deployed.placement),
        "host": results.host(deployed.quantized),
        "history": results.history(trained),
        **priced.to_json(),
        "neurobench": results.neurobench(deployed.graph, data.test.x, seed),
    }


def write_report(content, folder):
    """
    Write ``report.json`` and ``report.html`` into a folder.

    Returns
    -------
    tuple of pathlib.Path
    """
    folder = Path(folder)
    paths = folder / "report.json", folder / "report.html"
    report.write_json(content, paths[0])
    report.write_html(content, paths[1])
    return paths


def versions():
    """Return the versions of Python and of the packages that matter, if installed."""
    found = {"python": platform.python_version(), "nengo-hybrid": _own_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _own_version():
    from nengo_hybrid.version import version

    return version
