"""What a shim is, and which states it can be in."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType

BEFORE = "before"
AFTER = "after"
AT_ONCE = "at once"

NOT_INSTALLED = "not installed"
NOT_NEEDED = "not needed"
WAITING = "waiting"
APPLIED = "applied"
TOO_LATE = "too late"


@dataclass(frozen=True)
class Shim:
    """
    One mend of one defect in somebody else's library.

    Attributes
    ----------
    name : str
        Name of the shim, as ``nengo-hybrid doctor`` prints it.
    library : str
        The distribution that has the defect.
    module : str
        The module whose import triggers the shim.
    defect : str
        What goes wrong without the shim.
    link : str
        Where the defect is reported or caused; if no report is filed, the defect says
        so and this is the file it is in.
    goes_when : str
        The condition on which this shim is to be deleted.
    condition : callable
        Returns True if the installed versions have the defect. It imports none of the
        libraries concerned.
    apply : callable
        Mends the module it is given, twice without harm, and returns True if the
        defect is mended.
    runs : str
        ``BEFORE`` or ``AFTER`` the module's own code, or ``AT_ONCE`` for what must
        precede the module's import.
    """

    name: str
    library: str
    module: str
    defect: str
    link: str
    goes_when: str
    condition: Callable[[], bool]
    apply: Callable[[ModuleType | None], bool]
    runs: str = AFTER

    def is_installed(self):
        """Return True if the library with the defect is there."""
        return installed_version(self.library) is not None

    def is_needed(self):
        """Return True if the library is installed and has the defect."""
        return self.is_installed() and self.condition()


@dataclass(frozen=True)
class ShimState:
    """
    A shim and how it stands in this process.

    ``state`` is ``"not installed"``, ``"not needed"``, ``"waiting"`` (for the import of
    its module), ``"applied"``, or ``"too late"`` (its module was imported first and
    cannot be mended afterwards).
    """

    shim: Shim
    state: str


def installed_version(distribution):
    """
    Return the version of an installed distribution, without importing it.

    Returns
    -------
    tuple of int or None
        The leading numbers, as in ``(2, 21, 0)``; None if it is not installed.
    """
    try:
        return version_numbers(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return None


def version_numbers(text):
    """
    Return the leading numbers of a version.

    Examples
    --------
    >>> version_numbers("2.16.0rc1")
    (2, 16, 0)
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found.group().split("."))) if found else ()
