"""
`Target`: a chip, a processor or a published model of one, as data.

There are no subclasses per chip. Every number is a `Sourced`, or None if nobody
published it. Numbers stay in the units of their source; the methods of `Target`
are the one place that converts them to SI.
"""

from dataclasses import dataclass, field

from nengo_hybrid.exceptions import TargetError

EVIDENCE = {
    "simulated": "S: by the maker, before silicon",
    "measured": "M: on the hardware",
    "fitted": "F: to measurements",
    "architectural": "A: a fact of the design, or of the maker's software",
    "derived": "D: by arithmetic from other numbers, given in the source",
    "quoted": "Q: seen only as a quotation of the primary source",
    "recalled": "R: from memory, unchecked",
    "inherited": "I: of the chip before this one, and unmeasured on this one",
}

# Unit: its SI unit, and how many make one. Division by a power of ten rounds
# correctly; multiplication by 1e-12, which is no float, does not.
UNITS = {
    "count": ("count", 1),
    "bit": ("bit", 1),
    "J": ("J", 1),
    "mJ": ("J", 1e3),
    "uJ": ("J", 1e6),
    "nJ": ("J", 1e9),
    "pJ": ("J", 1e12),
    "W": ("W", 1),
    "mW": ("W", 1e3),
    "uW": ("W", 1e6),
    "s": ("s", 1),
    "ms": ("s", 1e3),
    "us": ("s", 1e6),
    "ns": ("s", 1e9),
}


@dataclass(frozen=True)
class Sourced:
    """
    A number with its unit, its band and where it comes from.

    Attributes
    ----------
    value : float or tuple of float
        The number; a tuple where a format is a choice among several.
    unit : str
        A key of ``UNITS``.
    low, high : float or tuple of float
        Band of the value; both equal ``value`` if no band is published.
    evidence : str
        Words of ``EVIDENCE``, separated by commas.
    source : str
        Parts separated by semicolons, each beginning with a key of
        ``Target.sources``.
    """

    value: float | tuple
    unit: str
    low: float | tuple
    high: float | tuple
    evidence: str
    source: str

    def in_si(self):
        """Return the same number in bits, counts, joules, watts or seconds."""
        si_unit, per_si = UNITS[self.unit]
        if per_si == 1:
            return self
        value, low, high = (x / per_si for x in (self.value, self.low, self.high))
        return Sourced(value, si_unit, low, high, self.evidence, self.source)


@dataclass(frozen=True)
class Target:
    """
    What a chip or processor is.

    Attributes
    ----------
    name : str
    kind : str
        "neuromorphic" (a network is mapped onto it), "processor" (runs the dense
        network, or the host part) or "model" (prices of the operations alone: of a
        published estimator, or of a chip that no network is mapped onto here).
    date : str or None
        Year, or year and month, of the main source.
    host : str or None
        Name of the profile of the processor that runs the host part.
    chip : str
        The chip that this is; of another name than the profile's where several
        profiles price one chip.
    limits, formats, costs, times, static : dict of str to (Sourced or None)
        In the units of their source; None is "never published", not 0.
    sources : dict of str to str
        What the keys in ``Sourced.source`` mean.
    sha256 : str
        Digest of the profile's content, whatever its layout.
    """

    name: str
    kind: str
    date: str | None
    host: str | None
    chip: str
    limits: dict = field(repr=False)
    formats: dict = field(repr=False)
    costs: dict = field(repr=False)
    times: dict = field(repr=False)
    static: dict = field(repr=False)
    sources: dict = field(repr=False)
    sha256: str = field(repr=False)

    def sourced(self, section, name):
        """
        Return a number in SI units, with its band and source.

        Parameters
        ----------
        section : str
            "limits", "formats", "costs", "times" or "static".
        name : str

        Returns
        -------
        Sourced or None
            None if the number is not published.

        Raises
        ------
        TargetError
            If the profile does not even mention the number.
        """
        entries = getattr(self, section)
        if name not in entries:
            known = ", ".join(sorted(entries)) or "none"
            raise TargetError(
                f"target '{self.name}' has no {name!r} in its {section}; "
                f"it has {known}. Add it to the profile, as null if unpublished"
            )
        entry = entries[name]
        return None if entry is None else entry.in_si()

    def limit(self, name):
        """Return a limit, in counts or bits, or None."""
        return self._value("limits", name)

    def format(self, name):
        """Return a number format, in bits, or None; a tuple if it is a choice."""
        return self._value("formats", name)

    def cost(self, name):
        """Return a price in joules (a power in watts), or None."""
        return self._value("costs", name)

    def time(self, name):
        """Return a time in seconds, or None."""
        return self._value("times", name)

    def static_power(self, name="chip"):
        """Return a static power in watts, or None."""
        return self._value("static", name)

    def _value(self, section, name):
        entry = self.sourced(section, name)
        return None if entry is None else entry.value
