"""
What an inference costs on a target, term by term, in two accountings.

An absent price is not 0: a total is None while a counted term has no price. What a
published measurement would hold and no term counts is named in `EXCLUDED`.
"""

from dataclasses import asdict, dataclass

from nengo_hybrid.estimate.latency import GIVEN
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.targets import Sourced, load_target

# Term: the count in `OpCounts`, and its price in ``Target.costs``.
CHIP_TERMS = {
    "synapses": ("synaptic_ops", "synaptic_op"),
    "neurons_active": ("neuron_updates_active", "neuron_update_active"),
    "neurons_inactive": ("neuron_updates_inactive", "neuron_update_inactive"),
    "spikes": ("spike_messages", "spike_within_tile"),
    "hops_east_west": ("spike_hops_east_west", "hop_east_west"),
    "hops_north_south": ("spike_hops_north_south", "hop_north_south"),
    "chip_crossings": ("chip_crossings", "chip_crossing"),
}
# Where a profile does not mention these, its other prices have them.
OPTIONAL_TERMS = {"spike_generation": ("spikes", "spike_generation")}
HOST_TERMS = {
    "host_macs": ("host_macs", "mac"),
    "host_updates": ("host_updates", "neuron_update"),
}
# Term: its power in ``Target.static``.
STATIC_TERMS = {"static_chip": "chip", "static_powered": "powered"}

# Accounting: the terms that it includes.
ACCOUNTINGS = {
    "chip": (*CHIP_TERMS, *OPTIONAL_TERMS, "static_chip"),
    "board": (
        *CHIP_TERMS,
        *OPTIONAL_TERMS,
        "host_injection",
        *HOST_TERMS,
        *STATIC_TERMS,
    ),
}
# Nobody published the energy of the barrier; the host has other work.
EXCLUDED = ("barrier", "host_static")


@dataclass(frozen=True)
class EnergyTerm:
    """
    One row of the bill, per inference.

    Attributes
    ----------
    name : str
    kind : str
        "dynamic" or "static".
    count : float or None
        What is paid for, per inference; chip-seconds for static power.
    price_j : float or None
        Joules for each; watts for static power.
    energy_j, low_j, high_j : float or None
        Joules for all, by the value, low and high of the price; 0 for a count of
        0, None for a count without a price.
    evidence, source : str or None
        Of the price.
    """

    name: str
    kind: str
    count: float | None
    price_j: float | None
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    evidence: str | None
    source: str | None


@dataclass(frozen=True)
class EnergyReport:
    """
    The terms of an inference, and totals that are None sooner than too small.

    Attributes
    ----------
    terms : tuple of EnergyTerm
    seconds : tuple of (float or None)
        An inference: as estimated, and the low and high end.
    """

    terms: tuple
    seconds: tuple = (None, None, None)

    def under(self, accounting):
        """
        Return the report of the terms that an accounting includes.

        Parameters
        ----------
        accounting : str
            "chip" (the neuromorphic cores and their mesh, and the power of an idle
            chip) or "board" (all terms).

        Raises
        ------
        EstimateError
            If there is no such accounting.
        """
        if accounting not in ACCOUNTINGS:
            raise EstimateError(
                f"accounting {accounting!r} is unknown; needed one of "
                f"{', '.join(ACCOUNTINGS)}"
            )
        included = ACCOUNTINGS[accounting]
        terms = tuple(term for term in self.terms if term.name in included)
        return EnergyReport(terms, self.seconds)

    @property
    def unpriced(self):
        """Names of the terms that were counted and have no price."""
        return tuple(term.name for term in self.terms if term.energy_j is None)

    @property
    def dynamic_j(self):
        """Energy of all that the run did, in joules."""
        return _total(self.terms, "energy_j", kind="dynamic")

    @property
    def static_j(self):
        """Energy of the time it took, in joules."""
        return _total(self.terms, "energy_j", kind="static")

    @property
    def host_j(self):
        """Energy of the host's own computation, a part of ``dynamic_j``, in joules."""
        return _total([t for t in self.terms if t.name in HOST_TERMS], "energy_j")

    @property
    def total_j(self):
        """Energy of an inference, in joules."""
        return _total(self.terms, "energy_j")

    @property
    def low_j(self):
        """Total by the low end of every price, in joules."""
        return _total(self.terms, "low_j")

    @property
    def high_j(self):
        """Total by the high end of every price, in joules."""
        return _total(self.terms, "high_j")

    def priced_j(self, bound="energy_j"):
        """
        Return the energy of all terms that have a price; a total only if each has.

        Parameters
        ----------
        bound : str
            "energy_j", "low_j" or "high_j".

        Returns
        -------
        float
            In joules.
        """
        energies = (getattr(term, bound) for term in self.terms)
        return sum(energy for energy in energies if energy is not None)

    def power_w(self, bound="energy_j"):
        """
        Return the mean power while inferences follow each other.

        Parameters
        ----------
        bound : str
            "energy_j"; "low_j" takes the longest inference for what is dynamic, and
            "high_j" the shortest.

        Returns
        -------
        float or None
            Watts; None where a term or the time of an inference is unknown.
        """
        value, low, high = self.seconds
        dynamic = _total(self.terms, bound, kind="dynamic")
        if dynamic is None or None in self.seconds:
            return None
        slowest = {"energy_j": value, "low_j": high, "high_j": low}[bound]
        fastest = {"energy_j": value, "low_j": low, "high_j": high}[bound]
        static = _total(self.terms, bound, kind="static")
        return None if static is None else dynamic / slowest + static / fastest

    def to_json(self):
        """Return the report in plain JSON types."""
        accountings = {name: self.under(name)._totals() for name in ACCOUNTINGS}
        return {
            "total_j": self.total_j,
            "dynamic_j": self.dynamic_j,
            "static_j": self.static_j,
            "host_j": self.host_j,
            "low_j": self.low_j,
            "high_j": self.high_j,
            "priced_j": self.priced_j(),
            "priced_low_j": self.priced_j("low_j"),
            "priced_high_j": self.priced_j("high_j"),
            "terms": [asdict(term) for term in self.terms],
            "unpriced": list(self.unpriced),
            "excludes": list(EXCLUDED),
            "accountings": accountings,
        }

    def _totals(self):
        return {
            "total_j": self.total_j,
            "low_j": self.low_j,
            "high_j": self.high_j,
            "power_w": self.power_w(),
            "power_low_w": self.power_w("low_j"),
            "power_high_w": self.power_w("high_j"),
            "unpriced": list(self.unpriced),
        }


def estimate_energy(counts, target, *, n_chips, latency):
    """
    Price the counts of a run.

    Parameters
    ----------
    counts : OpCounts
    target : Target
        Its ``host`` names the profile that prices the host part.
    n_chips : int
        Chips that draw static power.
    latency : LatencyReport
        How long they draw it.

    Returns
    -------
    EnergyReport

    Raises
    ------
    TargetError
        If the host's profile cannot be loaded, or mentions no price of a MAC.
    """
    mentioned = {k: v for k, v in OPTIONAL_TERMS.items() if v[1] in target.costs}
    terms = [
        price_term(name, counts.per_inference(count), target.sourced("costs", cost))
        for name, (count, cost) in {**CHIP_TERMS, **mentioned}.items()
    ]
    terms.append(_injection_term(counts, target, latency))
    host = None if target.host is None else load_target(target.host)
    for name, (count, cost) in HOST_TERMS.items():
        price = None if host is None else host.sourced("costs", cost)
        terms.append(price_term(name, counts.per_inference(count), price))
    seconds = (latency.inference_s, latency.inference_low_s, latency.inference_high_s)
    for name, part in STATIC_TERMS.items():
        power = target.sourced("static", part)
        terms.append(_static_term(name, power, n_chips, seconds))
    return EnergyReport(tuple(terms), seconds)


def price_term(name, count, price):
    """
    Price one count.

    Parameters
    ----------
    name : str
    count : float
    price : Sourced or None
        In joules.

    Returns
    -------
    EnergyTerm
        Dynamic; its energies are None if there is no price but something to pay.
    """
    if price is None:
        energy = None if count else 0.0
        return EnergyTerm(
            name, "dynamic", count, None, energy, energy, energy, None, None
        )
    energies = (count * p for p in (price.value, price.low, price.high))
    return EnergyTerm(
        name, "dynamic", count, price.value, *energies, price.evidence, price.source
    )


def _injection_term(counts, target, latency):
    """
    Price each injected message, or else each step in which the host injects.

    The chip's own x86 cores pass the spikes on, and nobody published whether they rest
    until the next step: the value and high are their power for the whole step, low is
    that for the time of the injection.
    """
    name = "host_injection"
    price = target.sourced("costs", "host_message")
    if price is not None:
        return price_term(name, counts.per_inference("host_messages"), price)
    power = target.sourced("costs", "host_injection_power")
    time = target.sourced("times", "host_injection")
    if None not in (power, time, latency.step_s, latency.step_high_s):
        value, low, high = _injecting_steps(counts, latency, time)
        price = Sourced(
            value=power.value * value,
            unit="J",
            low=power.low * min(time.low, low),
            high=power.high * high,
            evidence="derived",
            source=f"power x time of an injecting step; {power.source}; {time.source}",
        )
    return price_term(name, counts.per_inference("host_injection_steps"), price)


def _injecting_steps(counts, latency, time):
    """Return how long a step in which the host injects takes; value, low and high."""
    means = latency.step_s, latency.step_low_s, latency.step_high_s
    if latency.bound_by == GIVEN:
        return means
    # The mean has the injection in it for a part of the steps only.
    resting = 1 - counts.host_injection_steps / (counts.n_steps * counts.n_samples)
    injections = time.value, time.low, time.high
    return [m + resting * t for m, t in zip(means, injections, strict=True)]


def _static_term(name, power, n_chips, seconds):
    """Price the time of all chips; the band is that of power and of time."""
    count = None if None in seconds else n_chips * seconds[0]
    if power is None or count is None:
        return EnergyTerm(name, "static", count, *([None] * 6))
    watts = (power.value, power.low, power.high)
    energies = [n_chips * s * w for s, w in zip(seconds, watts, strict=True)]
    return EnergyTerm(
        name, "static", count, power.value, *energies, power.evidence, power.source
    )


def _total(terms, field, kind=None):
    energies = [getattr(term, field) for term in terms if kind in (None, term.kind)]
    return None if None in energies else sum(energies)
