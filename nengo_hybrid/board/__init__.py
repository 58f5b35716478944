"""
A Nengo network on a real board of Loihi 1, through the Python of another environment.

NxSDK needs an old Python, in which nengo_hybrid is not; ``on_board.py`` is what runs
there, and is in a folder of its own, since Python looks for modules beside a script.
"""

import collections
import json
import math
import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import BuildError, EmulateError

SCRIPT = Path(__file__).with_name("on_board.py")
NEEDED = "needed the Python of an environment that has NengoLoihi and NxSDK"
INTERRUPTED = 130
# Of what was written before a failure, so many lines are told again.
N_LAST = 3

__all__ = ["agreement", "run_on_board"]


def run_on_board(python, task, *, on_line):
    """
    Run a network on a board, in another Python, and write what its probes record.

    Parameters
    ----------
    python : str
    task : dict
        ``file`` and ``name`` of the network, ``n_steps`` of ``dt_s``, ``seed``, names
        of the ``probes`` in the order of ``all_probes``, and ``out``, an .npz file.
    on_line : callable
        Called with every line that is written there.

    Returns
    -------
    dict
        ``versions`` there, and the ``backend``, as they are named there.

    Raises
    ------
    BuildError
        If it is no Python with NengoLoihi and NxSDK.
    EmulateError
        If the run fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, record = Path(folder, "task.json"), Path(folder, "record.json")
        given.write_text(json.dumps({**task, "record": str(record)}), encoding="utf-8")
        status, last = _launch([python, "-u", str(SCRIPT), str(given)], on_line)
        found = json.loads(record.read_text("utf-8")) if record.exists() else None
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if found is None:
        raise BuildError(f"{python!r} cannot run it ({last[-1]}); {NEEDED}")
    if status != 0:
        raise EmulateError(
            f"the run on the board failed (status {status}): {' | '.join(last)}"
        )
    return found


def _launch(command, on_line):
    """Run a command to its end, also at Ctrl-C; return its status and last lines."""
    last = collections.deque(maxlen=N_LAST)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    pipes |= {"stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    try:
        child = subprocess.Popen(command, **pipes)
    except OSError as error:
        raise BuildError(f"{command[0]!r}: {error.strerror}; {NEEDED}") from error

    def listen():
        for line in child.stdout:
            on_line(line.rstrip())
            if line.strip(" ^~\n"):
                last.append(line.strip())

    with child:
        try:
            listen()
        except KeyboardInterrupt:
            # It leaves the board first; a second Ctrl-C does not wait for that.
            try:
                child.send_signal(signal.SIGINT)
                listen()
            finally:
                child.kill()
            raise
    return child.returncode, list(last) or ["it said nothing"]


def agreement(found, wanted, every=1):
    """
    Tell whether what a probe recorded agrees with what another run recorded.

    Parameters
    ----------
    found, wanted : (n_rows, ...) array
    every : float
        Time steps between two rows.

    Returns
    -------
    dict
        ``equal``, ``largest_difference`` and ``first_step``, from 1; the last two are
        None where there is none, as between other shapes.

    Examples
    --------
    >>> agreement(np.array([[0.0], [3.0]]), np.array([[0.0], [1.0]]))
    {'equal': False, 'largest_difference': 2.0, 'first_step': 2}
    """
    largest = first_step = None
    if found.shape == wanted.shape:
        distance = np.abs(found.astype(float) - wanted)
        rows = np.flatnonzero(distance.reshape(len(found), -1).any(axis=1))
        if len(rows):
            largest = float(distance.max())
            first_step = math.ceil(round((rows[0] + 1) * every, 6))
    return {
        "equal": found.shape == wanted.shape and first_step is None,
        "largest_difference": largest,
        "first_step": first_step,
    }
