"""Signals that end a training: noted once, and then as they were."""

import signal
import threading

import pytest

from nengo_hybrid.train.stopping import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_the_next_one_acts(number):
    before = signal.getsignal(number)
    with StopSignals(enabled=True) as stop:
        assert stop.received is None
        assert signal.getsignal(number) != before
        signal.raise_signal(number)
        assert stop.received == number
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_what_is_ignored_or_somebody_elses_stays():
    def own(number, frame):
        pass

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupt = signal.signal(signal.SIGINT, own)
    try:
        with StopSignals(enabled=True):
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) == own
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)


def test_handlers_stay_where_they_are_not_wanted():
    before, seen = signal.getsignal(signal.SIGTERM), []
    with StopSignals(enabled=False):
        assert signal.getsignal(signal.SIGTERM) == before

    def in_thread():
        with StopSignals(enabled=True):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert seen == [before]
