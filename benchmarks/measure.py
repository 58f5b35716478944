"""Time functions in alternation, and say how far the figures spread."""

import os
import platform
import statistics
import time
from importlib.metadata import version


def seconds(function, *arguments, at_least_s=0.0):
    """Time a call; the mean of as many calls as take ``at_least_s`` together."""
    n_calls, elapsed, started = 0, 0.0, time.perf_counter()
    while not n_calls or elapsed < at_least_s:
        function(*arguments)
        n_calls += 1
        elapsed = time.perf_counter() - started
    return elapsed / n_calls


def timed(function, *arguments, **options):
    """Call a function; return what it returns, and the seconds it took."""
    started = time.perf_counter()
    returned = function(*arguments, **options)
    return returned, time.perf_counter() - started


def alternate(functions, n_repetitions):
    """
    Take times in turn, so that whatever else the machine does meets all alike.

    Parameters
    ----------
    functions : dict of str to callable
        Called with the number of the repetition; each returns seconds.
    n_repetitions : int

    Returns
    -------
    dict of str to list of float
    """
    times = {name: [] for name in functions}
    for repetition in range(n_repetitions):
        for name, function in functions.items():
            times[name].append(function(repetition))
    return times


def spread(values):
    """Return the median, the lowest and the highest of some values."""
    values = list(values)
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
    }


def ratios(theirs, ours):
    """Say how often our times go into theirs, repetition by repetition."""
    return spread(t / o for t, o in zip(theirs, ours, strict=True))


def environment():
    """Say what the figures depend on."""
    packages = "nengo-hybrid", "nengo-loihi", "nengo", "numpy", "scipy", "numba"
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "machine": platform.machine(),
        "processor": _processor(),
        "cpu_count": os.cpu_count(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _version(name):
    if name == "nengo-hybrid":  # which may run from its repository, not installed
        import nengo_hybrid

        return nengo_hybrid.__version__
    return version(name)


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        return names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        return platform.processor()
