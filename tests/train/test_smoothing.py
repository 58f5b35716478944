"""The schedule of omega."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.train import Smoothing
from nengo_hybrid.train.smoothing import Schedules


def test_geometric_by_hand():
    # 64 -> 1 over the first half: after a quarter, 64^(1/2) = 8
    smoothing = Smoothing(start=64, hold=0.5)
    found = [smoothing.omega(done, target=1) for done in (0, 0.25, 0.5, 1)]
    assert found == pytest.approx([64, 8, 1, 1])


def test_linear_by_hand():
    smoothing = Smoothing(start=9, hold=0, schedule="linear")
    found = [smoothing.omega(done, target=1) for done in (0, 0.5, 1)]
    assert found == [9, 5, 1]


def test_cosine_by_hand():
    # At half way the cosine is too; at a third it has done (1 - 1/2) / 2 of the way.
    smoothing = Smoothing(start=16, hold=0, schedule="cosine")
    found = [smoothing.omega(done, target=1) for done in (0, 1 / 3, 0.5, 1)]
    assert found == pytest.approx([16, 16**0.75, 4, 1])


def test_held_by_hand():
    smoothing = Smoothing(start=16, hold=0.4, schedule="held")
    found = [smoothing.omega(done, target=1) for done in (0, 0.59, 0.6, 1)]
    assert found == [16, 16, 1, 1]


def test_each_population_has_its_own_schedule():
    schedules = Schedules({"a": Smoothing(64, hold=0.5), "b": Smoothing(9, hold=0)})
    assert schedules.omega("a", 0.25, target=1) == 8
    assert schedules.omega("b", 0.5, target=4) == 6
    assert schedules.omega("c", 0.5, target=4) == 4  # at its own from the start
    assert [schedules.is_held(done) for done in (0.5, 0.9, 1)] == [False, False, True]


@pytest.mark.parametrize("smoothing", [None, {}])
def test_without_a_schedule_omega_stays_where_it_is(smoothing):
    schedules = Schedules(smoothing)
    assert schedules.omega("a", 0.0, target=3) == 3 and schedules.is_held(0.0)
    assert schedules.to_json() is None


def test_stop_stands_in_for_every_target():
    assert Smoothing(start=64, stop=1.5).omega(1.0, target=4) == 1.5


@given(
    start=st.floats(0.01, 1000),
    target=st.floats(0.01, 1000),
    hold=st.floats(0, 0.99),
    schedule=st.sampled_from(["geometric", "linear", "cosine", "held"]),
    done=st.floats(0, 1),
)
def test_omega_stays_between_start_and_target(start, target, hold, schedule, done):
    omega = Smoothing(start, hold=hold, schedule=schedule).omega(done, target)
    low, high = sorted((start, target))
    assert low * (1 - 1e-9) <= omega <= high * (1 + 1e-9)


@given(hold=st.floats(0, 0.99), done=st.floats(0, 1))
def test_omega_is_the_target_exactly_once_it_is_held(hold, done):
    smoothing = Smoothing(start=16, hold=hold)
    if smoothing.is_held(done):
        assert smoothing.omega(done, target=1.3) == 1.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": 0}, "Smoothing needs a finite start above 0, got 0"),
        ({"start": float("nan")}, "Smoothing needs a finite start above 0, got nan"),
        ({"start": 4, "stop": -1}, "Smoothing needs a finite stop above 0, got -1"),
        (
            {"start": 4, "hold": 1},
            "Smoothing needs hold in [0, 1), got 1; it is the part of training at the "
            "final omega",
        ),
        (
            {"start": 4, "schedule": "cubic"},
            "Smoothing knows the schedules geometric, linear, cosine, held; got "
            "'cubic'",
        ),
    ],
)
def test_impossible_schedules_are_refused(settings, message):
    with pytest.raises(TrainError) as caught:
        Smoothing(**settings)
    assert str(caught.value) == message
