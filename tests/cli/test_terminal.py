"""Warnings as lines, quiet imports, and what Ctrl-C asks for."""

import os
import signal
import warnings

import pytest

from nengo_hybrid.cli.terminal import (
    interrupt_noted,
    quiet_imports,
    run_bar,
    sample_bars,
    warnings_as_lines,
)


def test_warnings_that_say_the_same_are_one_line(capsys):
    with warnings_as_lines():
        warnings.warn("neuron 3 of a: full (2 times in all)", stacklevel=1)
        warnings.warn("neuron 7 of a: full (9 times in all)", stacklevel=1)
        warnings.warn("two\nlines", stacklevel=1)
        warnings.warn("not for users", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr() == (
        "",
        "nengo-hybrid: warning: neuron 3 of a: full\n"
        "nengo-hybrid: warning: two lines\n",
    )


def test_an_error_is_told_instead_of_warnings(capsys):
    with pytest.raises(ValueError, match="^the error$"), warnings_as_lines():
        warnings.warn("before the error", stacklevel=1)
        raise ValueError("the error")
    assert capsys.readouterr() == ("", "")


def test_quiet_imports_drop_what_goes_to_file_2(capfd):
    with quiet_imports():
        os.write(2, b"dropped")
    os.write(2, b"kept")
    assert capfd.readouterr() == ("", "kept")


def test_the_first_interrupt_is_noted_and_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupt_noted() as noted:
        assert not noted.is_set()
        signal.raise_signal(signal.SIGINT)
        assert noted.is_set()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupts_of_somebody_else_stay_theirs():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt_noted() as noted:
            signal.raise_signal(signal.SIGINT)
            assert not noted.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_quiet_run_draws_no_progress(capsys):
    with sample_bars(True, "a", "b") as drawn:
        assert drawn == [None, None]
    assert capsys.readouterr() == ("", "")


def test_progress_has_the_time_left_and_goes_to_standard_error(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with sample_bars(False, "first", "second") as (first, second):
        first(1, 4)
        second(2, 4)
    with run_bar(False, 10) as advance:
        advance(10)
    out, err = capsys.readouterr()
    assert out == ""
    for words in ("first", "second", "emulate", "left"):
        assert words in err


def test_no_progress_is_drawn_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with sample_bars(False, "first") as (drawn,), run_bar(False, 10) as advance:
        assert drawn is None
        advance(10)
    assert capsys.readouterr() == ("", "")
