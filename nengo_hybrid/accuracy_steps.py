"""Where the accuracy of a deployment goes, step by step: `Waterfall`."""

from dataclasses import asdict, dataclass, field

import numpy as np

from nengo_hybrid.metrics import accuracy


@dataclass(frozen=True)
class StepRun:
    """
    What a network did after one step of its deployment.

    Attributes
    ----------
    step : str
    answers : (n_samples,) int array
    rates : dict of str to (n_samples, n_neurons) array
        Spikes in a step of the input, by population.
    causes : dict of str to dict of str to float
        By population, what the step does to it: in words, and what part it takes.
    """

    step: str
    answers: np.ndarray
    rates: dict = field(repr=False)
    causes: dict = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StepRow:
    """
    The accuracy after a step, and what the step changed.

    Attributes
    ----------
    step : str
    accuracy : float
        In [0, 1].
    n_test : int
    delta : float or None
        Accuracy less that of the step before; None in the first row.
    standard_error : float or None
        Of ``delta``, from the samples that both steps answered: of the mean of 1 for
        an answer that became right, -1 for one that became wrong, else 0.
    n_lost, n_gained : int or None
        Answers that became wrong, and right.
    """

    step: str
    accuracy: float
    n_test: int
    delta: float | None = None
    standard_error: float | None = None
    n_lost: int | None = None
    n_gained: int | None = None


@dataclass(frozen=True)
class PopulationRow:
    """
    What a step changed in a population.

    Attributes
    ----------
    step, name : str
    error : float
        Root of the mean squared difference to the step before in spikes per step of
        the input, over samples and neurons.
    causes : dict of str to float
        As in `StepRun`.
    """

    step: str
    name: str
    error: float
    causes: dict


@dataclass(frozen=True)
class Waterfall:
    """The accuracy after each step of a deployment; rows and populations in order."""

    rows: tuple
    populations: tuple

    def to_json(self):
        """Return the rows as plain values."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "populations": [asdict(row) for row in self.populations],
        }


def make_waterfall(runs, labels):
    """
    Compare each step with the one before.

    Parameters
    ----------
    runs : list of StepRun
        Of the same samples.
    labels : (n_samples,) int array

    Returns
    -------
    Waterfall
    """
    rows, populations = [], []
    for before, run in zip([None, *runs], runs, strict=False):
        rows.append(_row(before, run, labels))
        shared = {} if before is None else before.rates
        populations += [
            PopulationRow(
                step=run.step,
                name=name,
                error=float(np.sqrt(np.mean((rates - shared[name]) ** 2))),
                causes=run.causes.get(name, {}),
            )
            for name, rates in run.rates.items()
            if name in shared
        ]
    return Waterfall(tuple(rows), tuple(populations))


def _row(before, run, labels):
    right = run.answers == labels
    scored = run.step, accuracy(run.answers, labels), len(labels)
    if before is None:
        return StepRow(*scored)
    change = right.astype(int) - (before.answers == labels)
    return StepRow(
        *scored,
        delta=float(change.mean()),
        standard_error=float(change.std() / np.sqrt(len(labels))),
        n_lost=int(np.sum(change < 0)),
        n_gained=int(np.sum(change > 0)),
    )


def idle_parts(spikes):
    """
    Tell what part of the neurons adds nothing on these data.

    Parameters
    ----------
    spikes : (n_samples, n_steps, n_neurons) array

    Returns
    -------
    dict of str to float
        Neurons that never spike, and neurons that spike exactly as one before them.

    Examples
    --------
    >>> idle_parts(np.array([[[0, 1, 1, 0], [0, 1, 1, 1]]]))
    {'silent': 0.25, 'duplicate': 0.25}
    """
    n_neurons = spikes.shape[2]
    trains = np.packbits(spikes.reshape(-1, n_neurons) != 0, axis=0).T
    different = np.unique(trains, axis=0)
    n_silent = int(np.sum(~trains.any(axis=1)))
    n_duplicate = n_neurons - n_silent - int(np.sum(different.any(axis=1)))
    return {"silent": n_silent / n_neurons, "duplicate": n_duplicate / n_neurons}
