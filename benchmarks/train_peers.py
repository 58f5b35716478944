"""
What trains a Legendre memory on psMNIST: NengoDL's own cell, KerasLMU's, and ours.

Source of NengoDL's: its documentation, *Legendre Memory Units in NengoDL*. Each trainer
is a function of how many minibatches to train, which returns seconds for one, of the
clock and of the processor.
"""

import json
import os
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import nengo
import numpy as np
from scipy.signal import cont2discrete

import nengo_hybrid as nh
from nengo_hybrid.datasets import Dataset, Split

N_CLASSES = 10


@dataclass(frozen=True)
class Size:
    """
    A Legendre memory on sequences, and the minibatch it trains on.

    Attributes
    ----------
    n_steps : int
        Of each sequence, and of the memory's window.
    order, n_hidden, minibatch_size : int
    """

    n_steps: int = 784
    order: int = 256
    n_hidden: int = 212
    minibatch_size: int = 100

    def operations(self):
        """
        Count the floating-point operations of a minibatch, in the products alone.

        With feedback, once forward and once back for all weights, and once more for
        the gradients of those that are trained.
        """
        m, h = self.order, self.n_hidden
        trained = m * h + h * h + 2 * h + m
        fixed = m * m + m
        steps = self.n_steps * self.minibatch_size
        return 2 * steps * (2 * (trained + fixed) + trained)


def make_data(size, n_minibatches=1):
    """Return noise in the shape of psMNIST; times do not depend on the values."""
    rng, n = np.random.RandomState(0), size.minibatch_size
    x = rng.uniform(0, 1, (n * n_minibatches, size.n_steps, 1)).astype(np.float32)
    y = rng.randint(N_CLASSES, size=len(x)).astype(np.int32)
    small = Split(x[:n], y[:n])
    return Dataset("noise", Split(x, y), small, small, N_CLASSES)


def nengo_dl_trainer(size, *, feedback):
    """Make NengoDL ready to train its documentation's network."""
    import nengo_dl
    import tensorflow as tf

    data = make_data(size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim = nengo_dl.Simulator(
            _nengo_dl_network(size, feedback),
            minibatch_size=size.minibatch_size,
            unroll_simulation=16,
            progress_bar=False,
        )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sim.compile(tf.keras.optimizers.Adam(), loss=loss)

    def train(n_minibatches):
        def fit():
            for _ in range(n_minibatches):
                sim.fit(data.train.x, data.train.y[:, None, None], epochs=1, verbose=0)

        return per_minibatch(fit, n_minibatches)

    return train


def _nengo_dl_network(size, feedback):
    import nengo_dl
    import tensorflow as tf

    A, B = _matrices(size.order, size.n_steps)
    glorot = nengo_dl.dists.Glorot
    with nengo.Network(seed=0) as network:
        nengo_dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        x = nengo.Node(np.zeros(1))
        u, m = nengo.Node(size_in=1), nengo.Node(size_in=size.order)
        h = nengo_dl.TensorNode(tf.nn.tanh, shape_in=(size.n_hidden,), pass_time=False)
        nengo.Connection(x, u, transform=np.ones((1, 1)), synapse=None)
        fixed = [
            nengo.Connection(m, m, transform=A, synapse=0),
            nengo.Connection(u, m, transform=B, synapse=None),
        ]
        for connection in fixed:
            network.config[connection].trainable = False
        normal = glorot(distribution="normal")
        nengo.Connection(x, h, transform=normal, synapse=None)
        nengo.Connection(m, h, transform=normal, synapse=None)
        if feedback:
            nengo.Connection(h, h, transform=normal, synapse=0)
            nengo.Connection(h, u, transform=np.zeros((1, size.n_hidden)), synapse=0)
            nengo.Connection(m, u, transform=np.zeros((1, size.order)), synapse=0)
        output = nengo.Node(size_in=N_CLASSES)
        nengo.Connection(h, output, transform=glorot(), synapse=None)
        nengo.Probe(output)
    return network


def _matrices(order, theta):
    i = np.arange(order, dtype=np.float64)
    scale = (2 * i + 1)[:, None] / theta
    column, row = np.meshgrid(i, i)
    A = np.where(row < column, -1, (-1.0) ** (row - column + 1)) * scale
    B = (-1.0) ** i[:, None] * scale
    outputs = np.ones((1, order)), np.zeros((1, 1))
    return cont2discrete((A, B, *outputs), dt=1.0, method="zoh")[:2]


def our_network(size, *, feedback, spiking=False):
    """Make the same network of ours; spiking, if told, in all that it sends."""
    tanh = nengo.Tanh(tau_ref=1)
    quantizer = {"readout": nh.HybridSpiking(nh.Identity(), omega=4)}
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1), label="x")
        lmu = nh.networks.LMU(
            size.order,
            size.n_steps,
            n_hidden=size.n_hidden,
            hidden_type=nh.HybridSpiking(tanh, omega=2) if spiking else tanh,
            quantizer=quantizer if spiking else {},
            input_to_hidden=True,
            hidden_to_hidden=feedback,
            hidden_to_memory=feedback,
            memory_to_memory=feedback,
        )
        output = nengo.Node(size_in=N_CLASSES, label="output")
        weights = nengo.dists.Uniform(-0.15, 0.15)
        nengo.Connection(x, lmu.input, synapse=None)
        nengo.Connection(lmu.hidden, output, transform=weights, synapse=None)
        nengo.Probe(output)
    return network


def our_trainer(size, *, feedback, spiking=False):
    """Make our engine ready to train its network."""
    import tensorflow as tf

    from nengo_hybrid.train.parallel import ParallelSession
    from nengo_hybrid.train.plan import make_plan
    from nengo_hybrid.train.smoothing import Schedules

    plan, reasons = make_plan(
        our_network(size, feedback=feedback, spiking=spiking), dt=1.0
    )
    if plan is None:
        raise SystemExit(f"cannot train in parallel over time: {'; '.join(reasons)}")
    session = ParallelSession(
        plan,
        make_data(size),
        schedules=Schedules(None),
        budgets={},
        budget_weight=1.0,
        train_omega=(),
        readout_steps=1,
        minibatch_size=size.minibatch_size,
        seed=0,
        logit_scale=1.0,
        label_smoothing=0.0,
    )
    session.compile(tf.keras.optimizers.Adam())
    session.set_omega(1.0)

    def train(n_minibatches):
        order = np.tile(np.arange(size.minibatch_size), n_minibatches)

        def fit():
            session.fit_epoch(
                0, order, 0, begin=lambda i: None, end=lambda i, loss: None
            )

        return per_minibatch(fit, n_minibatches)

    return train


def per_minibatch(function, n_minibatches):
    """Call a function; return its seconds by the number of minibatches."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return {
        "clock": (time.perf_counter() - clock) / n_minibatches,
        "processor": (time.process_time() - processor) / n_minibatches,
    }


class KerasTrainer:
    """
    KerasLMU in a process of its own, since it may need another TensorFlow.

    Parameters
    ----------
    python : str
        The interpreter that has it.
    size : Size
    mode : str
        "recurrent", or "raw" or "fft": its convolutions, for what does not feed back.
    """

    def __init__(self, python, size, mode):
        program = Path(__file__).with_name("train_keras.py")
        sizes = map(str, (size.n_steps, size.order, size.n_hidden, size.minibatch_size))
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [python, str(program), mode, *sizes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def __call__(self, n_minibatches):
        print(n_minibatches, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"KerasLMU ended with status {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
