"""Training: through NengoDL, which runs any network, or in parallel over time."""

import contextlib
import logging
import math
from pathlib import Path

import tensorflow as tf
from threadpoolctl import threadpool_limits

from nengo_hybrid.exceptions import LowerError, ShapeError, TrainError
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import copy_network, find_ensemble, with_parameters
from nengo_hybrid.train.budgets import check_budgets
from nengo_hybrid.train.checkpoint import Checkpoints
from nengo_hybrid.train.epochs import Epochs
from nengo_hybrid.train.parallel import ParallelSession
from nengo_hybrid.train.plan import make_plan
from nengo_hybrid.train.smoothing import Schedules
from nengo_hybrid.train.stepwise import StepwiseSession
from nengo_hybrid.train.tensorboard import Scalars
from nengo_hybrid.trained import Trained

logger = logging.getLogger(__name__)

ENGINES = ("nengo-dl", "parallel", "auto")


def train(
    network,
    data,
    *,
    smoothing=None,
    epochs=30,
    minibatch_size=100,
    learning_rate=3e-3,
    weight_decay=0.0,
    readout_steps=1,
    budgets=None,
    budget_weight=1.0,
    train_omega=(),
    logit_scale=10.0,
    label_smoothing=0.0,
    unroll_simulation=8,
    dt=1.0,
    seed=0,
    progress=True,
    engine="nengo-dl",
    checkpoints=None,
    resume=False,
):
    """
    Train a classifier, spiking in the forward pass.

    The loss is the cross-entropy of the probed activity, averaged over the last
    ``readout_steps`` steps; Adam, its learning rate decaying to zero by a cosine.
    The parameters returned are those of the epoch best on the validation part.

    Parameters
    ----------
    network : nengo.Network
        With one node without inputs, and one probe with a value per class. It is
        left as it is.
    data : nengo_hybrid.datasets.Dataset
    smoothing : Smoothing, or dict of str to Smoothing, optional
        For all populations, or by ensemble. By default omega stays at each
        population's own from the start.
    epochs, minibatch_size : int
    learning_rate : float
    weight_decay : float
        Part of each weight, times the learning rate, that it loses with every
        minibatch (AdamW). Biases, encoders and omegas lose nothing.
    readout_steps : int
    budgets : dict of str to dict of str to float, optional
        By ensemble, limits of its "rate", "bits_max", "significant_bits" or
        "spikes_per_step", above which the squared excess is added to the loss: of
        rates each neuron's, of others that of the mean over all neurons. What is over
        those of bits and spikes in validation is taken from the accuracy that chooses
        the epoch.
    budget_weight : float
    train_omega : iterable of str
        Ensembles whose omega is trained with the weights, beginning with their own;
        in parallel only, and not where it feeds back. Give them a budget of bits, for
        nothing else asks for fewer.
    logit_scale : float
        Factor on the mean activity before the softmax; activity is at most a few
        units.
    label_smoothing : float
        Part of the target, in [0, 1), spread evenly over all classes. In the loss of
        training only, not in that of validation.
    unroll_simulation : int
        Steps that NengoDL lays out in its graph at once; has to divide n_steps.
    dt : float
        Time step; with 1, rates are in spikes per step, and the LMU's papers'
        unscaled activations are what they say.
    seed : int
        Of the initial voltages, the order of samples and TensorFlow.
    progress : bool
        Whether to draw a progress bar with the time left.
    engine : str
        "nengo-dl" runs any network, step by step; "parallel" one without encoders and
        decoders, all steps at once but for what feeds back; "auto" takes the second
        where it can.
        In parallel, budgets hold in the last ``readout_steps`` only.
    checkpoints : path-like, optional
        Folder for a checkpoint after each epoch, the newest and the one before; and
        after a SIGTERM or Ctrl-C, which then end the training. Scalars for
        TensorBoard go into ``tensorboard`` in it.
    resume : bool
        Go on from the newest checkpoint, to the same values as if uninterrupted.

    Returns
    -------
    Trained

    Raises
    ------
    ShapeError
        If the data do not fit the network.
    TrainError
        If a setting is out of range.
    CheckpointError
        If there is a checkpoint and ``resume`` is false, or none and it is true; if
        it is damaged, or of another network, other data or settings.
    DivergenceError
        If the loss is no longer finite.
    Terminated
        After a SIGTERM, once the checkpoint is written; ends the process with 143.
    """
    settings = {
        "epochs": epochs,
        "minibatch_size": minibatch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "readout_steps": readout_steps,
        "budgets": budgets or {},
        "budget_weight": budget_weight,
        "train_omega": sorted(train_omega),
        "logit_scale": logit_scale,
        "label_smoothing": label_smoothing,
        "unroll_simulation": unroll_simulation,
        "dt": dt,
        "seed": seed,
    }
    _check_settings(data, settings)
    if resume and checkpoints is None:
        raise TrainError("train needs checkpoints, a folder, to resume from; got None")
    plan = _choose_plan(network, data, engine, dt, seed)
    untrained = _seeded(network, seed)
    schedules = Schedules(smoothing)
    _check_names(network, plan, schedules, settings)
    kept = None
    if checkpoints is not None:
        identity = _identity(data, plan, schedules, settings)
        kept = Checkpoints(checkpoints, resume=resume, identity=identity)
    with _open_session(network, data, plan, schedules, settings) as session:
        best, history = _fit(session, data, schedules, settings, kept, progress)
    return Trained(
        network=with_parameters(untrained, best.parameters),
        parameters=best.parameters,
        history=history,
        best_epoch=best.epoch,
        seed=seed,
        dt=dt,
        readout_steps=readout_steps,
    )


def _identity(data, plan, schedules, settings):
    """Return what a training has to share with the checkpoint it goes on from."""
    engine = {"engine": "nengo-dl" if plan is None else "parallel"}
    return {
        "data": data.sha256,
        "settings": engine | settings | {"smoothing": schedules.to_json()},
    }


@contextlib.contextmanager
def _open_session(network, data, plan, schedules, settings):
    """Open what computes the minibatches of a training."""
    of_loop = ("epochs", "learning_rate", "weight_decay")
    shared = {k: v for k, v in settings.items() if k not in of_loop}
    shared["schedules"] = schedules
    if plan is None:
        del shared["train_omega"]
        copy = _seeded(network, settings["seed"])
        with StepwiseSession(copy, data, **shared) as session:
            yield session
    else:
        del shared["unroll_simulation"], shared["dt"]
        yield ParallelSession(plan, data, **shared)


def _fit(session, data, schedules, settings, checkpoints, progress):
    """Train epoch by epoch; return the `Best` and the history."""
    epochs, size = settings["epochs"], settings["minibatch_size"]
    n_minibatches = epochs * (len(data.train) // size)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        settings["learning_rate"], n_minibatches
    )
    session.compile(_optimizer(session, schedule, settings["weight_decay"]))
    scalars = None
    if checkpoints is not None:
        checkpoints.check_network(session.identity())
        is_resumed = checkpoints.loaded is not None
        scalars = Scalars(Path(checkpoints.folder, "tensorboard"), goes_on=is_resumed)
    with scalars or contextlib.nullcontext():
        loop = Epochs(
            session,
            n_samples=len(data.train),
            minibatch_size=size,
            epochs=epochs,
            schedules=schedules,
            seed=settings["seed"],
            learning_rate=lambda n_done: float(schedule(n_done)),
            checkpoints=checkpoints,
            scalars=scalars,
        )
        return loop.run(progress=progress), loop.history


def _optimizer(session, schedule, weight_decay):
    """Make Adam, or AdamW for the weights alone."""
    if not weight_decay:
        return tf.keras.optimizers.Adam(schedule)
    optimizer = tf.keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_list=session.undecayed)
    return optimizer


def _check_settings(data, settings):
    for name in ("epochs", "minibatch_size"):
        value = settings[name]
        if not isinstance(value, int) or value < 1:
            raise TrainError(f"train needs {name} of at least 1, got {value!r}")
    size, steps = settings["minibatch_size"], settings["readout_steps"]
    if len(data.train) < size:
        raise TrainError(
            f"train needs a minibatch_size of at most {len(data.train)}, the size of "
            f"{data.name}.train; got {size}"
        )
    if not 1 <= steps <= data.n_steps:
        raise TrainError(
            f"train needs readout_steps in 1..{data.n_steps}, the steps of "
            f"{data.name}; got {steps!r}"
        )
    for name in ("learning_rate", "logit_scale"):
        value = settings[name]
        if not (math.isfinite(value) and value > 0):
            raise TrainError(f"train needs a finite {name} above 0, got {value!r}")
    for name in ("weight_decay", "budget_weight"):
        value = settings[name]
        if not (math.isfinite(value) and value >= 0):
            raise TrainError(
                f"train needs a finite {name} of at least 0, got {value!r}"
            )
    spread = settings["label_smoothing"]
    if not 0 <= spread < 1:
        raise TrainError(f"train needs label_smoothing in [0, 1), got {spread!r}")


def _check_names(network, plan, schedules, settings):
    """Refuse schedules, budgets and omegas of populations that cannot have them."""
    check_budgets(network, settings["budgets"])
    trained = settings["train_omega"]
    for what, names in (("smoothing", schedules.by_name), ("train_omega", trained)):
        for name in names:
            neuron_type = find_ensemble(network, name).neuron_type
            if not isinstance(neuron_type, HybridSpiking):
                raise TrainError(
                    f"{what} of {name} needs HybridSpiking neurons, got {neuron_type}"
                )
    for name in trained:
        if name in schedules.by_name:
            raise TrainError(
                f"omega of {name} cannot be both trained and moved by a schedule; take "
                "it out of train_omega or smoothing"
            )
    if plan is None and trained:
        raise TrainError(
            f"train_omega of {trained[0]} needs the engine 'parallel'; NengoDL keeps "
            "omega where no optimizer moves it"
        )
    if plan is not None:
        plan.check_trained(settings["budgets"], trained, schedules.by_name)


def _seeded(network, seed):
    """Copy a network, with a seed."""
    network = copy_network(network)
    if network.seed is None:
        network.seed = seed
    return network


def _choose_plan(network, data, engine, dt, seed):
    """Plan a training in parallel over time; None if NengoDL is to do it."""
    if engine not in ENGINES:
        raise TrainError(f"train knows engines {', '.join(ENGINES)}; got {engine!r}")
    _find_ends(network, data)
    if engine == "nengo-dl":
        return None
    try:
        # The last bits of decoders depend on the number of threads, and the network's
        # digest on those.
        with threadpool_limits(1, "blas"):
            plan, reasons = make_plan(_seeded(network, seed), dt=dt)
    except LowerError as error:
        plan, reasons = None, [str(error)]
    if plan is None and engine == "parallel":
        raise TrainError(f"cannot train in parallel over time: {'; '.join(reasons)}")
    if plan is None:
        logger.info("trained by NengoDL, since %s", "; ".join(reasons))
    return plan


def _find_ends(network, data):
    """Return the input node and the probe, and check their sizes."""
    inputs = [node for node in network.all_nodes if node.size_in == 0]
    if len(inputs) != 1 or len(network.all_probes) != 1:
        raise TrainError(
            f"train needs a network with one input node and one probe, got "
            f"{len(inputs)} and {len(network.all_probes)}"
        )
    (node,), (probe,) = inputs, network.all_probes
    if node.size_out != data.size_in:
        raise ShapeError(
            f"the network's input node has {node.size_out} dimensions, {data.name} has "
            f"{data.size_in}"
        )
    if probe.size_in != data.n_classes:
        raise ShapeError(
            f"the network's probe has {probe.size_in} values, {data.name} has "
            f"{data.n_classes} classes"
        )
    return node, probe
