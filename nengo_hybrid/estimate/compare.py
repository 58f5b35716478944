"""The same network elsewhere: on a processor, or by a published model's prices."""

from dataclasses import asdict, dataclass

from nengo_hybrid.estimate.energy import EnergyReport, price_term
from nengo_hybrid.exceptions import EstimateError


@dataclass(frozen=True)
class Comparison:
    """
    Energy of an inference by another target's prices.

    Attributes
    ----------
    target : str
    energy_j, low_j, high_j : float or None
        Joules; None while something counted has no price.
    evidence : str
        Words of all prices used.
    """

    target: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    evidence: str

    def to_json(self):
        """Return the comparison in plain JSON types."""
        return asdict(self)


def compare_dense(dense, target):
    """
    Price the network as dense rates on a processor.

    Parameters
    ----------
    dense : DenseCounts
    target : Target
        Of kind "processor".

    Returns
    -------
    Comparison

    Raises
    ------
    EstimateError
        If the target is not a processor.

    Examples
    --------
    1000 MACs and 100 updates at 8.6 nJ each are 9.46 uJ.
    """
    _check_kind(target, "processor")
    return _compare(target, {"mac": dense.macs, "neuron_update": dense.updates})


def compare_model(counts, target):
    """
    Price the counts of a run as another estimator would.

    What the model leaves out it takes as free, so this is the model's figure and
    not a bill of the chip.

    Parameters
    ----------
    counts : OpCounts
    target : Target
        Of kind "model".

    Returns
    -------
    Comparison

    Raises
    ------
    EstimateError
        If the target is not a model.
    """
    _check_kind(target, "model")
    work = {
        "synaptic_op": "synaptic_ops",
        "neuron_update_active": "neuron_updates_active",
        "neuron_update_inactive": "neuron_updates_inactive",
    }
    return _compare(
        target, {cost: counts.per_inference(count) for cost, count in work.items()}
    )


def _check_kind(target, kind):
    if target.kind != kind:
        raise EstimateError(
            f"target '{target.name}' is of kind {target.kind}; needed a {kind}"
        )


def _compare(target, work):
    terms = [
        price_term(cost, count, target.sourced("costs", cost))
        for cost, count in work.items()
    ]
    report = EnergyReport(tuple(terms))
    words = [w.strip() for t in terms if t.evidence for w in t.evidence.split(",")]
    evidence = ", ".join(dict.fromkeys(words))
    return Comparison(
        target.name, report.total_j, report.low_j, report.high_j, evidence
    )
