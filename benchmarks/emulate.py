"""
Compare our emulator with NengoLoihi's, on the same networks, inputs and outputs.

    python benchmarks/emulate.py [--json FILE] [--quick] [--only NAME,...]
        [--processor-time]

Both run in turn in one process. A ratio is NengoLoihi's time to ours, for one sample:
the median over repetitions, with the lowest and highest. Spikes have to be the same
bit for bit. Names may have wildcards, such as ``--only 'dense*,closed*'``. MNIST is
read from the folder that NENGO_HYBRID_DATA names; without it images are random.
"""

import argparse
import fnmatch
import functools
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass

from emulate_closed import closed_cases, compare_closed
from emulate_limits import measure_bandwidth, measure_scaling
from emulate_open import compare_open, open_cases
from emulate_setup import measure_build, measure_compile
from emulate_table import show, show_limits
from measure import environment


@dataclass(frozen=True)
class Scale:
    """
    How much to measure.

    Attributes
    ----------
    n_repetitions : int
    n_samples : int
        Of a batch.
    n_steps, n_closed_steps : int
        Of each sample, and of each run with a node in the loop.
    sizes : tuple of int
        Neurons of networks whose cost is fitted.
    largest_dense : int
        Neurons of the largest of them with more synapses each.
    n_processes : int
        To compile in.
    n_build_neurons : int
    """

    n_repetitions: int = 7
    n_samples: int = 256
    n_steps: int = 100
    n_closed_steps: int = 500
    sizes: tuple = (1_000, 10_000, 100_000)
    largest_dense: int = 100_000
    n_processes: int = 3
    n_build_neurons: int = 5_000


QUICK = Scale(
    n_repetitions=2,
    n_steps=50,
    n_closed_steps=100,
    sizes=(1_000, 10_000),
    n_processes=1,
    n_build_neurons=2_500,
)


def cases():
    """Return, by name, what can be measured: functions of a `Scale`."""
    found = {"bandwidth": measure_bandwidth}
    for name, (make, draw) in open_cases().items():
        found[name] = functools.partial(compare_open, make, draw)
    for name, make in closed_cases().items():
        found[name] = functools.partial(compare_closed, make)
    found["scaling"] = functools.partial(measure_scaling, report=report)
    found["build"] = measure_build
    found["compile"] = measure_compile
    return found


def choose(only, known):
    """Return the names that fit any of some patterns; stop at one that fits none."""
    chosen = set()
    for pattern in only.split(","):
        fitting = fnmatch.filter(known, pattern)
        if not fitting:
            raise SystemExit(f"no {pattern!r}; there are {', '.join(known)}")
        chosen.update(fitting)
    return [name for name in known if name in chosen]


def report(words):
    """Say on standard error what is being done."""
    print(words, file=sys.stderr, flush=True)


def main():
    """Print the figures as they come, and with --json write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="few steps, twice")
    parser.add_argument("--only", default="*", help="names, separated by commas")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="of all threads, which hardly depends on what else the machine does",
    )
    arguments = parser.parse_args()
    if arguments.processor_time:
        time.perf_counter = time.process_time
    scale, known = QUICK if arguments.quick else Scale(), cases()
    figures = {
        "environment": environment(),
        "processor_time": arguments.processor_time,
        "scale": asdict(scale),
        "results": {},
    }
    started = time.perf_counter()
    for name in choose(arguments.only, list(known)):
        report(f"{time.perf_counter() - started:6.1f} s  {name}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="nengo")
            found = known[name](scale=scale)
        show(name, found, figures["results"])
        figures["results"][name] = found
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as file:
                json.dump(figures, file, indent=2)
    show_limits(figures["results"])
    report(f"{time.perf_counter() - started:6.1f} s  done")


if __name__ == "__main__":
    main()
