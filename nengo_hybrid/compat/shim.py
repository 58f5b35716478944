"""What a shim is, and which states it can be in."""

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
        Where the defect is reported, or the file it is in when no report is filed.
    goes_when : str
        The condition on which this shim is to be deleted.
    condition : callable
        Returns True if the installed versions have the defect. Imports none of the libraries concerned.
    apply : callable
        Mends the module it is given, twice without harm, and returns whether the defect is mended.
    runs : str
        ``BEFORE`` or ``AFTER`` the module's own code; ``AT_ONCE`` for what must precede the module's import.
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

    ``state`` is ``"not installed"``, ``"not needed"``, ``"waiting"`` (for the module's import), ``"applied"``, or
    ``"too late"`` (the module was imported first and cannot be mended afterwards).
    """

    shim: Shim
    state: str


def installed_version(distribution):
    """
    Return the version of an installed distribution, without importing it.

    Returns
    -------
    tuple of int or None
        Leading numbers of the version, for example ``(2, 21, 0)``; None if the distribution is not installed.
    """
    try:
        text = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
    return version_numbers(text)


def version_numbers(text):
    """
    Return the leading numbers of a version.

    Examples
    --------
    >>> version_numbers("2.16.0rc1")
    (2, 16, 0)
    """
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
