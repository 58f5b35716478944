"""The order of the stages, and nothing else: the only module that knows them all."""

import platform
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from nengo_hybrid import datasets, emulate, hardware, report
from nengo_hybrid.bundle import Bundle, save_bundle
from nengo_hybrid.estimate import count_dense, estimate, neurobench_metrics
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import BuildError, DataError, EmulateError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.lower import to_graph, to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.one_bit import to_one_bit
from nengo_hybrid.recipe import check_chip, is_by_name, load_targets
from nengo_hybrid.step_runs import check_split, compare_steps
from nengo_hybrid.train import Smoothing, train

DATASETS = {"digits": datasets.digits, "mnist": datasets.mnist}
PACKAGES = ("nengo", "nengo-dl", "nengo-loihi", "numpy", "tensorflow", "tf-keras")
BACKENDS = {"emulator": emulate.run, "nengo-loihi": hardware.run}
STAMP = "emulated, not measured"
RASTER_POPULATIONS = 4
# Test samples that NeuroBench's metrics are of: all activity is held in memory.
NEUROBENCH_SAMPLES = 100
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
    rates = _rates(graph, data.test.x, steps)
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
            "rate": accuracy(classify(rates, steps), data.test.y),
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


def _rates(graph, x, last_steps):
    """Return what the output gives as rates, in the last steps."""
    record = {"record": [graph.output], "last_steps": last_steps}
    return run_graph(graph, x, rates=True, dtype=np.float32, **record)[graph.output]


def _one_bit_sizes(graph, split, seed, options):
    """Return the neurons that each needed on some samples, and a quarter and one."""
    largest = evaluate(graph, split, seed=seed, **options).largest
    return {name: sizes + sizes // 4 + 1 for name, sizes in largest.items()}


def deploy(trained, target, *, chip_steps=4):
    """
    Lower a trained network, quantize it for a target, and place it.

    Parameters
    ----------
    trained : Trained
    target : Target
    chip_steps : int
        Time steps of the chip for every step of the network.

    Returns
    -------
    Deployed
    """
    graph = to_graph(trained.network, dt=trained.dt)
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
    Trace

    Raises
    ------
    EmulateError
        If the backend is unknown, or the run fails.
    """
    if backend not in BACKENDS:
        raise EmulateError(
            f"run_deployed knows the backends {', '.join(BACKENDS)}; got {backend!r}"
        )
    return BACKENDS[backend](
        deployed.quantized,
        deployed.placement,
        _host_counts(deployed, x, seed),
        target_sha256=deployed.target.sha256,
        seed=seed,
        progress=progress,
    )


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
    target, _ = load_targets(recipe)
    data, trained = train_recipe(recipe, seed=seed, progress=progress)
    deployed = deploy(trained, target, chip_steps=recipe.deployment["chip_steps"])
    trace = run_deployed(deployed, data.test.x, seed=seed, progress=on_sample)
    priced = estimate(
        deployed.placement,
        trace,
        target,
        dense=count_dense(deployed.graph, data.n_steps),
        compare=recipe.compare,
    )
    return {
        "recipe": recipe.name,
        "target": target.name,
        "backend": trace.backend,
        "seed": seed,
        "versions": versions(),
        "data_sha256": data.sha256,
        "stamp": STAMP,
        **_behaviour(trained, deployed, trace, data, seed),
        "waterfall": _waterfall(trained, deployed, trace, data.test, seed).to_json(),
        "resources": _resources(deployed.placement),
        "host": _host(deployed.quantized),
        "history": _history(trained),
        **priced.to_json(),
        "neurobench": _neurobench(deployed.graph, data.test.x, seed),
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


def _behaviour(trained, deployed, trace, data, seed):
    """Return accuracy, activity, the confusion matrix and a raster."""
    graph, steps, test = deployed.graph, trained.readout_steps, data.test
    chip_steps = steps * deployed.quantized.chip_steps
    rates = _rates(graph, test.x, steps)
    hybrid = evaluate(graph, test, readout_steps=steps, seed=seed)
    answers = {
        "rate": classify(rates, steps),
        "hybrid": hybrid.answers,
        "deployed": classify(trace.output_spikes, chip_steps),
    }
    scores = {name: accuracy(answer, test.y) for name, answer in answers.items()}
    confusion = np.zeros((data.n_classes, data.n_classes), dtype=int)
    np.add.at(confusion, (test.y, answers["deployed"]), 1)
    return {
        "accuracy": {**scores, "n_test": len(test)},
        "activity": hybrid.activity,
        "confusion": confusion,
        "raster": _raster(trace),
    }


def _raster(trace, sample=0):
    """Return when each neuron spiked in one sample, by population."""
    found = {}
    for name, population in list(trace.populations.items())[:RASTER_POPULATIONS]:
        times, neurons = np.nonzero(population.spikes[sample])
        found[name] = {
            "times": times,
            "neurons": neurons,
            "n_neurons": population.spikes.shape[2],
        }
    return found


def _neurobench(graph, x, seed):
    """Return NeuroBench's metrics of the network in floats, host's part and all."""
    x, names = x[:NEUROBENCH_SAMPLES], [p.name for p in graph.populations]
    activity = run_graph(graph, x, seed=seed, record=names)
    return {"n_samples": len(x), **neurobench_metrics(graph, activity).to_json()}


def _resources(placement):
    totals = {
        name: sum(getattr(block.utilization, name)[0] for block in placement.blocks)
        for name in ("compartments", "input_axons", "output_axons", "synapse_bits")
    }
    return {
        "chips": placement.n_chips,
        "cores": placement.n_cores,
        **totals,
        "worst_core": placement.worst_core(),
    }


def _host(quantized):
    return [
        {
            "name": p.name,
            "reason": quantized.host_reasons[p.name],
            "n_neurons": p.n_neurons,
        }
        for p in quantized.host.populations
    ]


def _history(trained):
    """Return the training's rows under the report's names, omega as the hidden's."""
    history = trained.history
    omegas = sorted(key for key in history if key.startswith("omega."))
    hidden = next((key for key in omegas if "hidden" in key), omegas[0])
    shown = {key: history[key] for key in history if key not in omegas}
    return {**shown, "omega": history[hidden]}
