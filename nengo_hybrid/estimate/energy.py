"""
What an inference costs on a target, term by term.

An absent price is not 0: a total is None while a counted term has no price. What a
published measurement would hold and no term counts: the energy of the barrier, which
nobody published, and the static power of the host.
"""

from dataclasses import asdict, dataclass

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
HOST_TERMS = {
    "host_macs": ("host_macs", "mac"),
    "host_updates": ("host_updates", "neuron_update"),
}


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
        Joules for each.
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
    """The terms of an inference, and totals that are None sooner than too small."""

    terms: tuple

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

    def to_json(self):
        """Return the report in plain JSON types."""
        return {
            "total_j": self.total_j,
            "dynamic_j": self.dynamic_j,
            "static_j": self.static_j,
            "host_j": self.host_j,
            "low_j": self.low_j,
            "high_j": self.high_j,
            "terms": [asdict(term) for term in self.terms],
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
    terms = [
        price_term(name, counts.per_inference(count), target.sourced("costs", cost))
        for name, (count, cost) in CHIP_TERMS.items()
    ]
    terms.append(_injection_term(counts, target))
    host = None if target.host is None else load_target(target.host)
    for name, (count, cost) in HOST_TERMS.items():
        price = None if host is None else host.sourced("costs", cost)
        terms.append(price_term(name, counts.per_inference(count), price))
    terms.append(_static_term(target, n_chips, latency))
    return EnergyReport(tuple(terms))


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


def _injection_term(counts, target):
    """Price each injected message, or else each step in which the host injects."""
    name = "host_injection"
    price = target.sourced("costs", "host_message")
    if price is not None:
        return price_term(name, counts.per_inference("host_messages"), price)
    power = target.sourced("costs", "host_injection_power")
    time = target.sourced("times", "host_injection")
    if power is not None and time is not None:
        price = Sourced(
            value=power.value * time.value,
            unit="J",
            low=power.low * time.low,
            high=power.high * time.high,
            evidence="derived",
            source=f"power x time of an injecting step; {power.source}; {time.source}",
        )
    return price_term(name, counts.per_inference("host_injection_steps"), price)


def _static_term(target, n_chips, latency):
    """Price the time of all chips; the band is that of power and of time."""
    power = target.sourced("static", "chip")
    seconds = (latency.inference_s, latency.inference_low_s, latency.inference_high_s)
    if power is None or None in seconds:
        count = None if None in seconds else n_chips * seconds[0]
        return EnergyTerm("static", "static", count, *([None] * 6))
    watts = (power.value, power.low, power.high)
    energies = [n_chips * s * w for s, w in zip(seconds, watts, strict=True)]
    return EnergyTerm(
        "static",
        "static",
        n_chips * seconds[0],
        power.value,
        *energies,
        power.evidence,
        power.source,
    )


def _total(terms, field, kind=None):
    energies = [getattr(term, field) for term in terms if kind in (None, term.kind)]
    return None if None in energies else sum(energies)
