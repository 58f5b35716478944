"""Time what comes before the first step: compiling, and building the chip model."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nengo
from measure import alternate, spread, timed
from nengo.utils.least_squares_solvers import LSMRScipy
from networks import build, recurrent, recurrent_sparse

FIRST_CALL = Path(__file__).with_name("first_call.py")


def measure_compile(scale):
    """
    Time the first call of a process, with an empty disk cache and with a filled one.

    Returns
    -------
    dict
        Seconds.
    """
    times = {"cold": [], "warm": [], "next": []}
    for _ in range(scale.n_processes):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("cold", "warm"):
                found = _first_call(folder)
                times[name].append(found["first_s"])
            times["next"].append(found["next_s"])
    return {f"{name}_s": spread(found) for name, found in times.items()}


def _first_call(cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-W", "ignore", str(FIRST_CALL)]
    found = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(found.stdout.splitlines()[-1])


def measure_build(scale):
    """
    Time NengoLoihi's builder, with its defaults and with other options of Nengo.

    Returns
    -------
    dict
        Seconds; and the error of the decoders, each relative to the defaults'.
    """
    lsmr = nengo.solvers.LstsqL2(solver=LSMRScipy())
    options = {
        "defaults": {},
        "eval_points": {"n_eval_points": 750},
        "lsmr": {"solver": lsmr},
        "both": {"n_eval_points": 750, "solver": lsmr},
    }
    n_neurons, models = scale.n_build_neurons, {}

    def run(name, **chosen):
        models[name], taken_s = timed(build, recurrent(n_neurons, **chosen))
        return taken_s

    functions = {
        name: lambda _, n=name, chosen=chosen: run(n, **chosen)
        for name, chosen in options.items()
    }
    functions["sparse"] = lambda _: timed(build, recurrent_sparse(n_neurons))[1]
    run("defaults", **options["defaults"])
    times = alternate(functions, scale.n_repetitions)
    errors = {name: _decoder_error(model) for name, model in models.items()}
    return {
        "n_neurons": n_neurons,
        "seconds": {name: spread(found) for name, found in times.items()},
        "share_of_defaults": {
            name: spread(o / d for o, d in zip(found, times["defaults"], strict=True))
            for name, found in times.items()
            if name in options
        },
        "decoder_error": errors,
    }


def _decoder_error(model):
    """Return the mean error that the solvers report, on their own points."""
    infos = [getattr(found, "solver_info", None) for found in model.params.values()]
    found = [float(info["rmses"].mean()) for info in infos if info]
    return sum(found) / len(found)
