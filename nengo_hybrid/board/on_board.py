"""
Run a Nengo network on a board of Loihi 1: what ``nengo-hybrid board`` starts.

It runs in an environment of NengoLoihi and NxSDK, whose Python may be as old as 3.5:
its syntax is of then, and it imports nothing of nengo_hybrid, which is not there.
"""

import io
import json
import os
import platform
import signal
import sys
import types
import zipfile

import nengo
import nengo_loihi
import numpy
import nxsdk

# As when nengo_hybrid runs the file.
MODULE = "nengo_hybrid_network_file"
INTERRUPTED = 130


def main(task):
    """Do what a task says; note which versions and which backend do it."""
    found = {"versions": {"python": platform.python_version()}}
    for module in (numpy, nengo, nengo_loihi, nxsdk):
        version = str(getattr(module, "__version__", "unknown"))
        found["versions"][module.__name__] = version
    note(found, task["record"])
    network = load_network(task["file"], task["name"])
    if len(network.all_probes) != len(task["probes"]):
        raise ValueError("the file makes another network here than where it was read")
    options = {"dt": task["dt_s"], "seed": task["seed"], "target": "loihi"}
    with nengo_loihi.Simulator(network, **options) as sim:
        sim.run_steps(task["n_steps"])
        arrays = [("t", sim.trange())]
        for name, probe in zip(task["probes"], network.all_probes):
            n_rows = len(sim.trange(probe.sample_every))
            arrays.append((name, numpy.asarray(sim.data[probe])[:n_rows]))
    found["backend"] = "nxsdk" if sim.target == "loihi" else str(sim.target)
    write_arrays(arrays, task["out"])
    note(found, task["record"])


def note(found, path):
    """Write down what was found so far."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(found))


def load_network(path, name):
    """Run a Python file and return one of its networks, or what a function returns."""
    module = types.ModuleType(MODULE)
    module.__file__ = path
    sys.modules[MODULE] = module
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec", dont_inherit=True), vars(module))
    found = getattr(module, name)
    return found if isinstance(found, nengo.Network) else found()


def write_arrays(arrays, path):
    """Write an .npz file, without pickle, in one step."""
    temporary = path + "." + str(os.getpid()) + ".tmp"
    try:
        with zipfile.ZipFile(temporary, "w", allowZip64=True) as archive:
            for name, values in arrays:
                entry = io.BytesIO()
                numpy.lib.format.write_array(entry, values, allow_pickle=False)
                archive.writestr(name + ".npy", entry.getvalue())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def interrupt_once(number, frame):
    """Let the first Ctrl-C end the run, and none the leaving of the board."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt_once)
    with open(sys.argv[1], encoding="utf-8") as given:
        content = json.load(given)
    try:
        main(content)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
