"""How ``omega`` moves from rates to spikes over the course of training."""

import math
from dataclasses import asdict, dataclass

from nengo_hybrid.exceptions import TrainError

SCHEDULES = ("geometric", "linear", "cosine", "held")


@dataclass(frozen=True)
class Smoothing:
    """
    Move ``omega`` from rate-like to its target, then hold it there.

    Parameters
    ----------
    start : float
        ``omega`` of every hybrid-spiking population when training begins.
    stop : float, optional
        ``omega`` at the end; by default each population's own.
    hold : float
        Part of training at the end, in [0, 1), during which omega stays at its
        target. Parameters are only kept from there.
    schedule : str
        "geometric" (the usual choice), "linear", "cosine" (geometric, but slow at its
        beginning and end), or "held": at the start until the held part begins.

    Raises
    ------
    TrainError
        If a value is not in its range, or the schedule is unknown.

    Examples
    --------
    >>> Smoothing(start=64, stop=1, hold=0.5).omega(0.25, target=1)  # half way down
    8.0
    """

    start: float
    stop: float | None = None
    hold: float = 0.4
    schedule: str = "geometric"

    def __post_init__(self):
        for name in ("start", "stop"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise TrainError(
                    f"Smoothing needs a finite {name} above 0, got {value!r}"
                )
        if not 0 <= self.hold < 1:
            raise TrainError(
                f"Smoothing needs hold in [0, 1), got {self.hold!r}; it is the part of "
                "training at the final omega"
            )
        if self.schedule not in SCHEDULES:
            raise TrainError(
                f"Smoothing knows the schedules {', '.join(SCHEDULES)}; got "
                f"{self.schedule!r}"
            )

    def omega(self, done, target):
        """
        Return ``omega`` for a population.

        Parameters
        ----------
        done : float
            Part of training that is done, in [0, 1].
        target : float
            The population's own ``omega``, used unless ``stop`` is given.
        """
        target = self.stop if self.stop is not None else target
        moved = min(1.0, done / (1 - self.hold))
        if moved == 1.0:
            return float(target)
        if self.schedule == "held":
            return float(self.start)
        if self.schedule == "linear":
            return self.start + moved * (target - self.start)
        if self.schedule == "cosine":
            moved = (1 - math.cos(math.pi * moved)) / 2
        return self.start * (target / self.start) ** moved

    def is_held(self, done):
        """Return True once omega stays at its target."""
        return done >= 1 - self.hold


class Schedules:
    """
    What moves the omega of each population.

    Parameters
    ----------
    smoothing : Smoothing, dict of str to Smoothing, or None
        For all populations, or by name; those without one stay at their own omega.
    """

    def __init__(self, smoothing):
        self.by_name = smoothing if isinstance(smoothing, dict) else {}
        self.for_all = None if isinstance(smoothing, dict) else smoothing

    def omega(self, name, done, target):
        """Return ``omega`` for a population; see `Smoothing.omega`."""
        found = self.by_name.get(name, self.for_all)
        return target if found is None else found.omega(done, target)

    def is_held(self, done):
        """Return True once every omega stays at its target."""
        every = [*self.by_name.values(), self.for_all]
        return all(found is None or found.is_held(done) for found in every)

    def to_json(self):
        """Return the schedules as plain values."""
        if self.by_name:
            return {name: asdict(found) for name, found in self.by_name.items()}
        return None if self.for_all is None else asdict(self.for_all)
