"""The same network elsewhere: on a processor, or by other prices of its operations."""

import math
from dataclasses import asdict, dataclass

from nengo_hybrid.estimate.energy import EnergyReport, EnergyTerm, price_term
from nengo_hybrid.exceptions import EstimateError

# Price of a MAC: on what the figure rests.
DENSE = {"mac": "dense, per operation", "mac_batch1": "dense, measured at batch 1"}
OPERATIONS, WHOLE_CHIPS = "spikes, operations alone", "spikes, whole chips"
ALL_TERMS = "spikes, all terms"


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
    basis : str
        What was priced: rows of another basis leave out other things.
    """

    target: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    evidence: str
    basis: str

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
    tuple of Comparison
        One by the price of an operation, which a processor reaches when it is kept
        busy, and one by measured inferences at batch 1: those that are published. If
        neither is, the first, without an energy.

    Raises
    ------
    EstimateError
        If the target is not a processor.

    Examples
    --------
    1000 MACs and 100 updates at 8.6 nJ each are 9.46 uJ.
    """
    _check_kind(target, "processor")
    known = [name for name in DENSE if target.costs[name] is not None] or ["mac"]
    return tuple(
        _compare(target, {mac: dense.macs, "neuron_update": dense.updates}, DENSE[mac])
        for mac in known
    )


def compare_model(counts, target, *, step_s=None):
    """
    Price the counts of a run by the operations' prices alone.

    What the model leaves out it takes as free, so this is the model's figure and not a
    bill of the chip. If it has the power of a chip, that is paid for as many chips as
    hold the neurons, for as long as the steps take.

    Parameters
    ----------
    counts : OpCounts
    target : Target
        Of kind "model".
    step_s : float
        Seconds of a step; by default the model's own.

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
    work = {cost: counts.per_inference(count) for cost, count in work.items()}
    if "chip" not in target.static:
        return _compare(target, work, OPERATIONS)
    return _compare(target, work, WHOLE_CHIPS, _chips_term(counts, target, step_s))


def compare_energy(energy, target):
    """
    Put a whole bill by other prices into a row.

    Parameters
    ----------
    energy : EnergyReport
    target : Target

    Returns
    -------
    Comparison
    """
    return _row(target, energy, ALL_TERMS)


def _chips_term(counts, target, step_s):
    """Price the time of the chips that hold the neurons of a run."""
    power, step = target.sourced("static", "chip"), target.sourced("times", "step")
    if step_s is None and step is not None:
        step_s = step.value
    per_chip = target.limit("neurons_per_chip")
    if None in (power, step_s, per_chip):
        return EnergyTerm("static_chip", "static", *([None] * 7))
    updates = counts.neuron_updates_active + counts.neuron_updates_inactive
    n_neurons = updates / (counts.n_steps * counts.n_samples)
    chip_seconds = math.ceil(n_neurons / per_chip) * counts.n_steps * step_s
    watts = (power.value, power.low, power.high)
    energies = (chip_seconds * w for w in watts)
    return EnergyTerm(
        "static_chip",
        "static",
        chip_seconds,
        power.value,
        *energies,
        power.evidence,
        power.source,
    )


def _check_kind(target, kind):
    if target.kind != kind:
        raise EstimateError(
            f"target '{target.name}' is of kind {target.kind}; needed a {kind}"
        )


def _compare(target, work, basis, *more_terms):
    terms = [
        price_term(cost, count, target.sourced("costs", cost))
        for cost, count in work.items()
    ]
    return _row(target, EnergyReport((*terms, *more_terms)), basis)


def _row(target, report, basis):
    words = [
        w.strip() for t in report.terms if t.evidence for w in t.evidence.split(",")
    ]
    evidence = ", ".join(dict.fromkeys(words))
    return Comparison(
        target.name, report.total_j, report.low_j, report.high_j, evidence, basis
    )
