"""Ending a training in good order when the process is told to end."""

import signal
import threading


class StopSignals:
    """
    Note SIGTERM and Ctrl-C, so that a minibatch ends whole; a second one acts at once.

    Signals are left alone outside the main thread, where they are ignored, and
    where Ctrl-C is somebody else's.

    Parameters
    ----------
    enabled : bool

    Attributes
    ----------
    received : signal.Signals or None
        What came.
    """

    def __init__(self, *, enabled):
        in_main = threading.current_thread() is threading.main_thread()
        self.enabled, self.received, self._before = enabled and in_main, None, {}

    def __enter__(self):
        if self.enabled:
            self._replace(signal.SIGTERM)
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._replace(signal.SIGINT)
        return self

    def __exit__(self, *exc_info):
        self._put_back()

    def _replace(self, number):
        before = signal.getsignal(number)
        if before not in (signal.SIG_IGN, None):  # None: not set from Python
            self._before[number] = signal.signal(number, self._note)

    def _note(self, number, frame):
        self.received = signal.Signals(number)
        self._put_back()

    def _put_back(self):
        while self._before:
            signal.signal(*self._before.popitem())
