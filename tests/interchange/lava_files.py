"""Files as lava-dl exports them."""

import h5py
import numpy as np

NEURON = {"type": "CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": 10, "refDelay": 1}


def layer(kind, shape, **said):
    """Describe a layer; with CUBA-LIF neurons unless it is said otherwise."""
    if kind in ("dense", "dense_rec", "conv"):
        said = {"neuron": NEURON} | said
    return {"type": kind, "shape": np.array(shape)} | said


def dense(weight, **said):
    weight = np.array(weight)
    return layer("dense", [len(weight)], weight=weight.astype(np.float32), **said)


def write(path, *layers):
    """Write layers as lava-dl exports them."""
    with h5py.File(path, "w") as file:
        for i, said in enumerate(layers):
            group = file.create_group(f"layer/{i}")
            for name, value in said.items():
                if name == "type":
                    group.create_dataset("type", (1,), "S10", [value.encode()])
                elif name == "neuron":
                    for key, parameter in value.items():
                        group[f"neuron/{key}"] = parameter
                else:
                    group[name] = value
        file["simulation/Ts"] = 1
    return path
