"""The order of the stages, and nothing else: the only module that knows them all."""

from dataclasses import replace
from pathlib import Path

from nengo_hybrid import emulate, report, results
from nengo_hybrid.bundle import (
    TRAINED_NAME,
    Bundle,
    check_room,
    deployed_path,
    save_bundle,
    save_deployed,
)
from nengo_hybrid.deployed import ChipRun, Deployed
from nengo_hybrid.estimate import count_dense, estimate
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import (
    BundleError,
    EmulateError,
    QuantizeError,
    TargetError,
)
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.mapping import place
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.quantize import quantize
from nengo_hybrid.recipe import CHIP_STEPS, check_chip, load_targets
from nengo_hybrid.recipe_training import load_data, train_bundle
from nengo_hybrid.step_runs import check_split, compare_steps, compare_with_floats
from nengo_hybrid.targets import load_target

BACKENDS = ("emulator", "nengo-loihi")
# What makes a part of a deployed network.
MAKERS = {"run": "run_test", "estimate": "estimate_run"}
# Samples by which ranges are chosen.
N_CALIBRATED = 256


def deploy(trained, target, *, chip_steps=4, calibration=None, seed=0):
    """
    Lower a trained network, quantize it for a target, and place it.

    Parameters
    ----------
    trained : Trained or Bundle
    target : Target
    chip_steps : int
        Time steps of the chip for every step of the network, where spikes have one
        bit; with graded spikes, as few as the network's loops allow.
    calibration : (n_samples, n_steps, size_in) array
        Input by which a target with graded spikes has its ranges chosen, such as that
        of the training set; the first `N_CALIBRATED` samples are taken.
    seed : int
        Of the search for a placement.

    Returns
    -------
    Deployed

    Raises
    ------
    QuantizeError
        If calibration data are needed and missing, or the network has no program.
    EmulateError
        If a sum or state leaves its register on the calibration data.
    LowerError, PlacementError
        If it cannot be lowered, or does not fit.
    """
    if isinstance(trained, Bundle):
        graph, about = trained.graph, trained.about
    else:
        graph = to_graph(trained.network, dt=trained.dt)
        about = trained.about()
    floats, ranges = None, None
    if is_graded(target):
        if calibration is None:
            raise QuantizeError(
                f"target {target.name!r} has graded spikes, whose ranges are chosen on "
                "data; pass calibration=data.train.x"
            )
        calibration = calibration[:N_CALIBRATED]
        quantized = quantize(graph, target, calibration)
        ranges = compare_with_floats(graph, quantized, calibration)
    else:
        # Here, since it imports NengoLoihi, and that TensorFlow: no other step does.
        from nengo_hybrid.lower import to_loihi, unrounded

        quantized = to_loihi(graph, target=target.name, chip_steps=chip_steps)
        floats = unrounded(graph, chip_steps=chip_steps)
    placement = place(quantized, target, seed=seed)
    return Deployed(graph, quantized, placement, target, floats, about, ranges=ranges)


def deploy_bundle(bundle, target, *, chip_steps=None, seed=0):
    """
    Deploy a trained network with what its bundle says of data and chip steps.

    Parameters
    ----------
    bundle : Bundle
    target : Target
    chip_steps : int, optional
        By default those of the recipe, or 4.
    seed : int
        Of the search for a placement.

    Returns
    -------
    Deployed

    Raises
    ------
    TargetError
        If no network is mapped onto the target.
    DataError
        If calibration needs the data set, and it cannot be loaded.
    QuantizeError, LowerError, PlacementError
        See `deploy`.
    """
    check_chip(target)
    if chip_steps is None:
        recipe = bundle.about.get("recipe") or {}
        chip_steps = (recipe.get("deployment") or {}).get("chip_steps", CHIP_STEPS)
    calibration = load_data(bundle.about).train.x if is_graded(target) else None
    return deploy(
        bundle, target, chip_steps=chip_steps, calibration=calibration, seed=seed
    )


def run_deployed(
    deployed,
    x,
    *,
    backend="emulator",
    seed=0,
    last_steps=None,
    progress=None,
    at_once=None,
    reset_interval=None,
):
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
    last_steps : int, optional
        With graded spikes, how many of the last steps to keep of the output; by
        default all.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` after every sample.
    at_once : int, optional
        Samples that the emulator runs side by side, at most.
    reset_interval : int, optional
        With graded spikes, steps of the network after which the chip starts from rest
        again, so that samples can follow one another in ``x``; see `run_graded`.

    Returns
    -------
    Trace or GradedTrace

    Raises
    ------
    EmulateError
        If the backend is unknown, or the run fails.
    """
    known = BACKENDS[:1] if deployed.is_graded else BACKENDS
    if backend not in known:
        raise EmulateError(
            f"run_deployed knows the backends {', '.join(known)} for target "
            f"{deployed.target.name!r}; got {backend!r}"
        )
    quantized, options = deployed.quantized, {"progress": progress}
    if deployed.is_graded:
        options |= {"last_steps": last_steps, "at_once": at_once}
        options["reset_interval"] = reset_interval
        return emulate.run_graded(quantized, x, **options)
    if reset_interval is not None:
        raise EmulateError(
            "run_deployed takes a reset_interval where spikes are graded; those of "
            f"target {deployed.target.name!r} are not: give every sample a row of x"
        )
    counts = _host_counts(deployed, x, seed)
    options |= {"seed": seed, "target_sha256": deployed.target.sha256}
    if backend == "emulator":
        options["at_once"] = at_once
        return emulate.run(quantized, deployed.placement, counts, **options)
    # Here, since it imports NengoLoihi.
    from nengo_hybrid import hardware

    return hardware.run(quantized, deployed.placement, counts, **options)


def is_graded(target):
    """Tell whether the spikes of a target carry a payload."""
    return bool(target.format("spike_payload_bits"))


def _host_counts(deployed, x, seed):
    """Run the host's part; return the spike counts that it injects."""
    host = deployed.quantized.host
    injected = [lines.population for lines in deployed.quantized.inputs]
    return run_graph(host, x, seed=seed, record=injected)


def run_test(
    deployed, split, *, seed=0, progress=None, floats_progress=None, at_once=None
):
    """
    Run a deployed network on labelled samples, beside the same network in floats.

    Parameters
    ----------
    deployed : Deployed
    split : Split
        Such as ``data.test``.
    seed : int
        Of initial voltages, drawn anew for every sample. With graded spikes there is
        nothing to draw: all start from the network's own, on the chip and in floats, so
        that what differs is what was rounded.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` while the chip is emulated.
    floats_progress : callable, optional
        The same while the network is run in floats.
    at_once : int, optional
        Samples that run side by side, at most.

    Returns
    -------
    Deployed
        With ``run``; an estimate of an earlier run is dropped.
    """
    steps = deployed.about["readout_steps"]
    options = {"last_steps": steps, "progress": progress, "at_once": at_once}
    trace = run_deployed(deployed, split.x, seed=seed, **options)
    answers = results.deployed_answers(deployed, trace, steps)
    hybrid = evaluate(
        deployed.graph,
        split,
        readout_steps=steps,
        seed=None if deployed.is_graded else seed,
        progress=floats_progress,
        at_once=at_once,
    )
    figures = {
        "backend": trace.backend,
        "seed": seed,
        "versions": results.versions(),
        **results.behaviour(deployed, trace, answers, hybrid, split),
        "neurobench": results.neurobench(deployed.graph, split.x, seed),
    }
    if not deployed.is_graded:
        figures["waterfall"] = _waterfall(deployed, trace, split, seed).to_json()
    return replace(deployed, run=ChipRun(trace, answers, figures), estimate=None)


def estimate_run(deployed, compare=()):
    """
    Estimate what an inference of a run costs, and what it would cost elsewhere.

    Parameters
    ----------
    deployed : Deployed
        With a run.
    compare : iterable of Target
        As in `estimate`.

    Returns
    -------
    Deployed
        With ``estimate``.

    Raises
    ------
    BundleError
        If it has not been run.
    EstimateError
        If a target cannot be compared with.
    """
    _need(deployed, "run")
    trace = deployed.run.trace
    n_steps = trace.n_steps if deployed.is_graded else trace.n_input_steps
    found = estimate(
        deployed.placement,
        trace,
        deployed.target,
        dense=count_dense(deployed.graph, n_steps),
        compare=compare,
    )
    return replace(deployed, estimate=found.to_json())


def make_report(deployed):
    """
    Put together all that was found out about a deployed network.

    Parameters
    ----------
    deployed : Deployed
        With a run and an estimate.

    Returns
    -------
    dict
        The report, schema 1.

    Raises
    ------
    BundleError
        If a step is not done yet.
    """
    _need(deployed, "run", "estimate")
    return results.figures(deployed)


def _need(deployed, *parts):
    for part in parts:
        if getattr(deployed, part) is None:
            raise BundleError(
                f"the deployed network has no {part} yet; make it with "
                f"nengo_hybrid.pipeline.{MAKERS[part]}"
            )


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
    return _waterfall(deployed, trace, split, seed)


def _waterfall(deployed, trace, split, seed):
    host_counts = _host_counts(deployed, split.x, seed)
    return compare_steps(deployed, trace, host_counts, split, seed=seed)


def run_recipe(recipe, folder, *, seed=0, progress=True, on_sample=None):
    """
    Go the whole way: build, train, deploy, emulate, estimate.

    Parameters
    ----------
    recipe : Recipe
    folder : path-like
        Gets ``bundle.zip`` and ``TARGET.zip``, from which each step goes on.
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
    check = None if is_graded(target) else _check_output
    data, trained = train_bundle(recipe, seed=seed, progress=progress, check=check)
    file = deployed_path(save_bundle(trained, Path(folder) / TRAINED_NAME), target)
    deployed = deploy_bundle(trained, target)
    save_deployed(deployed, file)
    check_room(deployed, *data.test.x.shape[:2])
    deployed = run_test(deployed, data.test, seed=seed, progress=on_sample)
    deployed = estimate_run(deployed, recipe_comparisons(deployed))
    save_deployed(deployed, file)
    return make_report(deployed)


def _check_output(graph):
    """Refuse a network that Loihi 1 cannot take, before it is trained."""
    from nengo_hybrid.lower import check_output

    check_output(graph)


def recipe_comparisons(deployed):
    """
    Load the targets that a deployed network's recipe compares with.

    Chips that the network was not mapped onto are left out: they have no counts.
    """
    names = (deployed.about.get("recipe") or {}).get("compare", ())
    return [
        other
        for other in map(load_target, names)
        if other.kind != "neuromorphic"
        or deployed.target.name in (other.name, other.chip)
    ]


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
