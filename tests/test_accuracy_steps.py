"""What a step changes: by hand, and as laws."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.accuracy_steps import StepRun, idle_parts, make_waterfall


def run(step, answers, rates=(), causes=()):
    return StepRun(step, np.array(answers), dict(rates), dict(causes))


def test_changes_by_hand():
    # Right are 1, 1, 1, 0 and then 0, 0, 1, 1: two lost, one gained, of four. Of
    # -1, -1, 0, 1 the mean is -1/4, and the variance 3/4 - 1/16 = 11/16.
    runs = [run("rates", [0, 1, 2, 0]), run("hybrid", [9, 9, 2, 3])]
    first, second = make_waterfall(runs, np.array([0, 1, 2, 3])).rows
    assert (first.step, first.accuracy, first.n_test) == ("rates", 0.75, 4)
    assert (first.delta, first.standard_error) == (None, None)
    assert (first.n_lost, first.n_gained) == (None, None)
    assert (second.step, second.accuracy, second.delta) == ("hybrid", 0.5, -0.25)
    assert (second.n_lost, second.n_gained) == (2, 1)
    assert second.standard_error == pytest.approx(np.sqrt(11 / 16 / 4))


def test_errors_of_populations_by_hand():
    # Differences 3 and 4 of two neurons in one sample: the root of 25 / 2. A
    # population that the step before did not have is compared with nothing.
    before = {"h": np.array([[1.0, 2.0]])}
    after = {"h": np.array([[4.0, 6.0]]), "out": np.array([[1.0]])}
    causes = {"h": {"silent": 0.5}}
    runs = [run("rates", [0], before), run("hybrid", [0], after, causes)]
    (row,) = make_waterfall(runs, np.array([0])).populations
    assert (row.step, row.name, row.causes) == ("hybrid", "h", {"silent": 0.5})
    assert row.error == pytest.approx(np.sqrt(12.5))


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(0, 2), min_size=n, max_size=n), min_size=2, max_size=5
        )
    )
)
def test_changes_add_up(answers):
    labels = np.zeros(len(answers[0]), int)
    runs = [run(f"step{i}", a) for i, a in enumerate(answers)]
    rows = make_waterfall(runs, labels).rows
    changes = [row.delta for row in rows[1:]]
    whole = rows[-1].accuracy - rows[0].accuracy
    assert sum(changes) == pytest.approx(whole, abs=1e-12)
    for row in rows[1:]:
        gained = (row.n_gained - row.n_lost) / row.n_test
        assert row.delta == pytest.approx(gained, abs=1e-12)
        changed = (row.n_gained + row.n_lost) / row.n_test
        variance = changed - row.delta**2
        assert row.standard_error**2 * row.n_test == pytest.approx(variance, abs=1e-9)


def test_json_has_every_row():
    rates = {"h": np.zeros((2, 3))}
    runs = [run("rates", [0, 1], rates), run("hybrid", [0, 0], rates)]
    plain = make_waterfall(runs, np.array([0, 1])).to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert [row["step"] for row in plain["rows"]] == ["rates", "hybrid"]
    (row,) = plain["populations"]
    assert row == {"step": "hybrid", "name": "h", "error": 0.0, "causes": {}}


def test_idle_neurons_by_hand():
    # Over two samples of two steps: neuron 0 and 3 alike, 1 and 4 silent, 2 its own.
    spikes = np.array(
        [[[1, 0, 0, 1, 0], [0, 0, 1, 0, 0]], [[1, 0, 1, 1, 0], [1, 0, 1, 1, 0]]]
    )
    assert idle_parts(spikes) == {"silent": 0.4, "duplicate": 0.2}


def test_neurons_are_alike_only_if_they_are_in_every_step():
    # More steps than bits in a byte, different in the last one.
    spikes = np.ones((1, 9, 2), int)
    assert idle_parts(spikes) == {"silent": 0.0, "duplicate": 0.5}
    spikes[0, 8, 1] = 0
    assert idle_parts(spikes) == {"silent": 0.0, "duplicate": 0.0}
