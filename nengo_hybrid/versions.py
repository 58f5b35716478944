"""
Which versions work, which do not, and the line that mends them.

The ranges hold what was really run: the suites of NengoDL and NengoLoihi, through the
shims of `nengo_hybrid.compat`, in each environment of `RUN_TOGETHER` (the pins are in
``deploy/constraints``, the counts in ``tests/parity/README.md``). Between two versions
that were run, those in the middle are taken to work. "Too new" means newer than any
that was run, or than what TensorFlow or NengoDL allows.
"""

import platform
from dataclasses import dataclass
from importlib import metadata

from nengo_hybrid.compat.shim import version_numbers

RUN_TIME = "run time"
TRAINING = "training"

OK = "ok"
TOO_OLD = "too old"
TOO_NEW = "too new"
MISSING = "missing"

# Offered where TensorFlow is missing or does not fit: it installs on every Python here.
BEST_TENSORFLOW = "2.21"

# NengoDL ships as source only. Its pyproject.toml pins setuptools<64, which does not
# start on Python 3.12, and its setup.py imports pkg_resources, gone in setuptools 82.
PREPARE_NENGO_DL = 'pip install "setuptools<81" wheel'


@dataclass(frozen=True)
class Range:
    """
    Versions of one package that work: from ``least`` up to, not including, ``below``.

    ``below`` is None where no later version is known to fail. ``below`` equal to
    ``least`` pins that one release.
    """

    least: str
    below: str | None = None

    def __str__(self):
        if self.below == self.least:
            return f"=={self.least}"
        return f">={self.least}" + (f",<{self.below}" if self.below else "")

    def state(self, version):
        """Say of a version, or of None for a missing package, how it fits."""
        if version is None:
            return MISSING
        numbers = version_numbers(version)
        if numbers < version_numbers(self.least):
            return TOO_OLD
        if self.below == self.least:
            return OK if numbers == version_numbers(self.least) else TOO_NEW
        if self.below and numbers >= version_numbers(self.below):
            return TOO_NEW
        return OK


RUN_TIME_RANGES = {
    "python": Range("3.10", "3.14"),
    "nengo": Range("4.1", "5"),
    "nengo-loihi": Range("1.1.0", "1.1.0"),
    "numpy": Range("1.26", "2.6"),
    "scipy": Range("1.11"),
    "numba": Range("0.61"),
    "scikit-learn": Range("1.4"),
}
TRAINING_RANGES = {
    "tensorflow": Range("2.16", "2.22"),
    "tf-keras": Range("2.16", "2.22"),
    "nengo-dl": Range("3.6.0", "3.6.0"),
}

# What each TensorFlow demands of NumPy in its own metadata.
NUMPY_OF_TENSORFLOW = {
    "2.16": Range("1.26", "2"),
    "2.17": Range("1.26", "2"),
    "2.18": Range("1.26", "2.1"),
    "2.19": Range("1.26", "2.2"),
}

# The environments of deploy/constraints: Python, NumPy, TensorFlow.
RUN_TOGETHER = (
    ("3.10", "1.26", "2.16"),
    ("3.11", "2.4", "2.21"),
    ("3.12", "2.0", "2.18"),
    ("3.13", "2.5", "2.21"),
)


@dataclass(frozen=True)
class VersionRow:
    """
    One package.

    Attributes
    ----------
    package : str
        Name of the distribution, or ``"python"``.
    installed : str or None
        The version found.
    works : str
        The versions that work, as pip writes them.
    state : str
        ``"ok"``, ``"too old"``, ``"too new"`` or ``"missing"``.
    needed_for : str
        ``"run time"`` or ``"training"``.
    """

    package: str
    installed: str | None
    works: str
    state: str
    needed_for: str


@dataclass(frozen=True)
class VersionReport:
    """
    All packages, and how they go together.

    Attributes
    ----------
    rows : tuple of VersionRow
    runs : bool
        True if everything but training works.
    trains : bool
        True if training works too.
    combination : str
        One sentence on the combination as a whole.
    mend : tuple of str
        The commands that mend it, in their order; empty if nothing is to be mended.
    """

    rows: tuple[VersionRow, ...]
    runs: bool
    trains: bool
    combination: str
    mend: tuple[str, ...]


def check_versions(installed=None):
    """
    Compare the installed versions with those that work.

    Parameters
    ----------
    installed : dict of {str: str}, optional
        Distribution name -> version, ``"python"`` among them; what is not named counts
        as missing. By default, what is installed. No package is imported to find out.

    Returns
    -------
    VersionReport

    Examples
    --------
    >>> found = {"python": "3.12.1", "nengo": "3.2.0"}
    >>> check_versions(found).rows[1]
    VersionRow(package='nengo', installed='3.2.0', works='>=4.1,<5', state='too old', \
needed_for='run time')
    """
    installed = read_installed() if installed is None else installed
    rows = tuple(
        VersionRow(name, installed.get(name), str(fit), fit.state(found), needed_for)
        for name, fit, needed_for in ranges_for(installed)
        for found in [installed.get(name)]
    )
    runs = all(row.state == OK for row in rows if row.needed_for == RUN_TIME)
    trains = all(row.state == OK for row in rows)
    return VersionReport(
        rows=rows,
        runs=runs,
        trains=trains,
        combination=describe_combination(rows),
        mend=mending_commands(rows),
    )


def read_installed():
    """Return the version of Python and of every package that is installed."""
    found = {"python": platform.python_version()}
    for name in (*RUN_TIME_RANGES, *TRAINING_RANGES):
        if name == "python":
            continue
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def ranges_for(installed):
    """
    Yield (package, range, needed for), narrowed to what fits the installed TensorFlow.

    A TensorFlow outside its own range is to be replaced and narrows nothing.
    """
    tensorflow = installed.get("tensorflow")
    fits = TRAINING_RANGES["tensorflow"].state(tensorflow) == OK
    for name, fit in RUN_TIME_RANGES.items():
        narrow = NUMPY_OF_TENSORFLOW.get(minor(tensorflow)) if fits else None
        if name == "numpy" and narrow and fit.state(installed.get(name)) == OK:
            yield name, narrow, TRAINING
        else:
            yield name, fit, RUN_TIME
    for name, fit in TRAINING_RANGES.items():
        if name == "tf-keras" and fits:
            fit = same_minor(tensorflow)
        yield name, fit, TRAINING


def minor(version):
    """
    Return the first two numbers of a version.

    Examples
    --------
    >>> minor("2.21.0")
    '2.21'
    """
    return ".".join(map(str, version_numbers(version)[:2]))


def same_minor(version):
    """Return the range of all releases with the same first two numbers."""
    major, second = version_numbers(version)[:2]
    return Range(f"{major}.{second}", f"{major}.{second + 1}")


def describe_combination(rows):
    """Say in one sentence how the versions go together."""
    found = {row.package: row.installed for row in rows}
    bad = [row for row in rows if row.state != OK]
    unfit = [row for row in bad if row.needed_for == RUN_TIME or row.state != MISSING]
    if unfit:
        words = ", ".join(f"{row.package} is {row.state}" for row in unfit)
        return f"Does not work as a whole: {words}."
    names = f"Python {minor(found['python'])}, NumPy {minor(found['numpy'])}"
    if bad:
        absent = ", ".join(row.package for row in bad)
        return f"{names} run deployed networks; training lacks {absent}."
    together = tuple(minor(found[name]) for name in ("python", "numpy", "tensorflow"))
    names += f", TensorFlow {together[2]}"
    if together in RUN_TOGETHER:
        return f"{names} were run together."
    return f"{names} each work; they were not run together."


def mending_commands(rows):
    """
    Return the pip commands that mend what does not fit.

    Training that is not installed at all is offered too. Python itself is named in a
    comment, since pip cannot change it.
    """
    bad = {row.package: row.works for row in rows if row.state != OK}
    commands = []
    if "python" in bad:
        commands.append(f"# make an environment with Python {bad.pop('python')}")
    if "tensorflow" in bad:
        # tf-keras goes by TensorFlow, so both are named, whatever tf-keras is there.
        bad["tensorflow"] = bad["tf-keras"] = str(same_minor(BEST_TENSORFLOW))
    if "nengo-dl" in bad:
        commands.append(PREPARE_NENGO_DL)
    if bad:
        isolation = " --no-build-isolation" if "nengo-dl" in bad else ""
        wanted = " ".join(f'"{name}{works}"' for name, works in bad.items())
        commands.append(f"pip install{isolation} {wanted}")
    return tuple(commands)
