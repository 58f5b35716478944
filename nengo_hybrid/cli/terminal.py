"""What a run shows on the terminal, and the Ctrl-C that it takes from there."""

import contextlib
import os
import re
import signal
import threading
import warnings

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

HIDDEN_WARNINGS = DeprecationWarning, PendingDeprecationWarning, ResourceWarning


@contextlib.contextmanager
def quiet_imports():
    """Drop what TensorFlow writes to file 2 as it starts; no setting of it does."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def import_training():
    """Import what training needs, quietly; `train` tells what is missing."""
    # What TensorFlow says of graphics cards as it trains is held back by this.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_imports(), contextlib.suppress(ImportError):
        import nengo_hybrid.train.engine  # noqa: F401


@contextlib.contextmanager
def sample_bars(quiet, *titles):
    """Give what draws each progress over samples, or None if nothing is to be drawn."""
    with open_progress(quiet) as progress:
        if progress is None:
            yield [None] * len(titles)
            return

        def draws(title):
            task = progress.add_task(title, total=None, visible=False, start=False)

            def on_sample(n_done, n_samples):
                progress.start_task(task)
                progress.update(task, completed=n_done, total=n_samples, visible=True)

            return on_sample

        yield [draws(title) for title in titles]


@contextlib.contextmanager
def run_bar(quiet, n_steps):
    """Give what draws the progress of a run."""
    with open_progress(quiet) as progress:
        if progress is None:
            yield lambda steps: None
            return
        task = progress.add_task("emulate", total=n_steps)
        yield lambda steps: progress.advance(task, steps)


@contextlib.contextmanager
def open_progress(quiet):
    """Give bars with the time left; None unless they are drawn, on a terminal only."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        # A bar that is disabled still ends its line, with older versions of rich.
        yield None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        yield progress


@contextlib.contextmanager
def warnings_as_lines():
    """
    Write warnings at the end, a line each, the first of those that say the same.

    None are written if there is an error to tell instead.
    """
    told = {}

    def note(message, category, *args, **kwargs):
        if not issubclass(category, HIDDEN_WARNINGS):
            # Of how often a register overflowed, each part of a run counts its own.
            words = re.sub(r" \(\d+ times in all\)", "", str(message))
            words = " ".join(words.split())
            kind = re.sub(r"\b(neuron|of|sample|step) -?\d+", "", words)
            told.setdefault(kind, words)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield
    for words in told.values():
        click.echo(f"nengo-hybrid: warning: {words}", err=True)


@contextlib.contextmanager
def interrupt_noted():
    """Give an event that Ctrl-C sets, so that steps end whole; a second one raises."""
    noted = threading.Event()

    def note(number, frame):
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or somebody else's
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
