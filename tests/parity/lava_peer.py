"""
Run networks in lava-nc's fixed-point models; a program for Lava's own environment.

    python lava_peer.py networks FILE.npz OUT.npz
    python lava_peer.py file FILE.net IN.npz OUT.npz

The first builds the processes of random networks, of LIF or of sigma-delta neurons; the
second lets lava-dl read a file.
Lava needs Python 3.10 and an older NumPy than nengo-hybrid may have: nothing of
nengo-hybrid is imported here.
"""

import json
import sys
import types

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor
from lava.proc.sdn.process import Sigma, SigmaDelta


def make_neurons(layer, bias):
    """Make the neurons of a layer; see `test_lava.py`."""
    shape = (layer["n"],)
    kind = layer.get("kind", "lif")
    if kind == "sigma":
        return Sigma(shape=shape)
    if kind == "sigma-delta":
        exponents = {name: layer[name] for name in ("spike_exp", "state_exp")}
        return SigmaDelta(shape=shape, vth=layer["vth"], bias=bias, **exponents)
    decays = {name: layer[name] for name in ("du", "dv", "vth")}
    return LIF(shape=shape, bias_mant=bias, bias_exp=6, **decays)


def run_network(described, arrays, name):
    """Run one network of `test_lava.py`; return spikes and voltages by layer."""
    n_steps = described["n_steps"]
    source = Source(data=arrays[f"{name}/input"])
    layers, processes = [], [source]
    for i, layer in enumerate(described["layers"]):
        layers.append(make_neurons(layer, arrays.get(f"{name}/{i}/bias")))
    for i, layer in enumerate(described["layers"]):
        for pre in layer["from"]:
            dense = Dense(
                weights=arrays[f"{name}/{i}/from {pre}"],
                weight_exp=layer["exp"],
                num_message_bits=layer.get("message_bits", 0),
            )
            sender = source if pre == "input" else layers[pre]
            sender.s_out.connect(dense.s_in)
            dense.a_out.connect(layers[i].a_in)
            processes.append(dense)
    probes = {}
    for i, neurons in enumerate(layers):
        ports = {"s": neurons.s_out}
        if isinstance(neurons, LIF):
            ports |= {"u": neurons.u, "v": neurons.v}
        for what, port in ports.items():
            probes[i, what] = monitor = Monitor()
            monitor.probe(port, n_steps)
    layers[0].run(
        condition=RunSteps(num_steps=n_steps),
        run_cfg=Loihi2SimCfg(select_tag="fixed_pt"),
    )
    found = {}
    for (i, what), monitor in probes.items():
        values = next(iter(next(iter(monitor.get_data().values())).values()))
        found[f"{name}/{i}/{what}"] = values
    layers[0].stop()
    return found


def run_networks(path, out):
    """Run all networks of a file, one after the other."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    found = {}
    for name, described in json.loads(str(arrays["described"])).items():
        found |= run_network(described, arrays, name)
    np.savez(out, **found)


def run_file(path, given, out):
    """Let lava-dl read a network, and run it on spikes (n_neurons, n_steps)."""
    # What of lava-dl needs PyTorch, and its reader does not need for these networks.
    slayer = [f"slayer{name}" for name in ("", ".neuron", ".neuron.rf")]
    for name in (*slayer, "netx.sequential_modules"):
        module = types.ModuleType(f"lava.lib.dl.{name}")
        module.neuron_params, module.__path__, module.__file__ = None, [], "none/none"
        sys.modules[module.__name__] = module
    from lava.lib.dl.netx import hdf5

    with np.load(given) as file:
        spikes = file["spikes"]
    network = hdf5.Network(net_config=path)
    source = Source(data=spikes)
    sink = Sink(shape=network.out.shape, buffer=spikes.shape[-1])
    source.s_out.connect(network.inp)
    network.out.connect(sink.a_in)
    network.run(
        condition=RunSteps(num_steps=spikes.shape[-1]),
        run_cfg=Loihi2SimCfg(select_tag="fixed_pt"),
    )
    found = sink.data.get()
    network.stop()
    np.savez(out, spikes=found)


if __name__ == "__main__":
    {"networks": run_networks, "file": run_file}[sys.argv[1]](*sys.argv[2:])
