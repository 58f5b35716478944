"""Exit status, and one line for an error."""

import click
import pytest

from nengo_hybrid import pipeline
from nengo_hybrid.cli import main
from nengo_hybrid.exceptions import EmulateError, TargetError
from nengo_hybrid.targets import target_names


def unknown_target(name):
    return (
        f"TargetError: target {name!r} is unknown; needed one of "
        f"{', '.join(target_names())}, or the path of a profile (.json)"
    )


def test_unknown_target_is_one_line(run, refused):
    refused(run("targets", "loihi9"), unknown_target("loihi9"))


def test_debug_lets_the_error_through(run):
    result = run("--debug", "targets", "loihi9")
    assert isinstance(result.exception, TargetError)


def test_debug_shows_the_traceback_to_who_runs_it(in_a_process_of_its_own):
    done = in_a_process_of_its_own(
        """
        from nengo_hybrid.cli import main
        main(["--debug", "targets", "loihi9"])
        """
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert unknown_target("loihi9").split(": ", 1)[1] in done.stderr


def test_failed_run_has_status_1(run, monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise EmulateError("Overflow in q0")

    monkeypatch.setattr(pipeline, "run_recipe", fail)
    result = run("demo", "--out", "results", "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "nengo-hybrid: EmulateError: Overflow in q0\n"
    assert not list((tmp_path / "results").iterdir())


def test_an_error_that_a_room_refined_keeps_its_name(run, monkeypatch):
    class RefinedError(EmulateError, RuntimeError):
        pass

    def fail(*args, **kwargs):
        raise RefinedError("Overflow in q0")

    monkeypatch.setattr(pipeline, "run_recipe", fail)
    result = run("demo", "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "nengo-hybrid: EmulateError: Overflow in q0\n"


@pytest.mark.parametrize(
    "args, message",
    [
        (
            ("emulate", "model.py:net"),
            "Missing option '--time'; see nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "model.py:net", "--time", "long"),
            "Invalid value for '--time': 'long' is not a valid float; "
            "see nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "model.py:net", "--time", "1", "--on-overflow", "ignore"),
            "Invalid value for '--on-overflow': 'ignore' is not one of 'warn', "
            "'raise'; see nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "model.py:net", "--time", "1", "--seed", "-1"),
            "Invalid value for '--seed': -1 is not in the range 0<=x<=2147483647; "
            "see nengo-hybrid emulate --help",
        ),
        (
            ("emulate",),
            "Missing argument 'FILE'; see nengo-hybrid emulate --help",
        ),
        (
            ("demo", "--out"),
            "Option '--out' requires an argument; see nengo-hybrid demo --help",
        ),
        (
            ("doctor", "one", "two\nlines"),
            "Got unexpected extra argument (two lines); see nengo-hybrid doctor --help",
        ),
        (
            ("--debug", "bench"),
            "Missing argument 'NAME'; see nengo-hybrid bench --help",
        ),
        (
            ("walk",),
            "No such command 'walk'; see nengo-hybrid --help",
        ),
        (
            ("--debug=1", "targets"),
            "Option '--debug' does not take a value; see nengo-hybrid --help",
        ),
    ],
)
def test_wrong_usage_is_one_line(run, refused, args, message):
    refused(run(*args), message)


@pytest.mark.parametrize("command", [None, *sorted(main.commands)])
def test_an_unknown_option_is_one_line_in_every_command(run, command):
    result = run(*filter(None, [command, "--nowhere"]))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("nengo-hybrid: No such option")
    place = f"nengo-hybrid {command}" if command else "nengo-hybrid"
    assert result.stderr.endswith(f"; see {place} --help\n")
    assert result.stderr.count("\n") == 1


def test_a_proposal_of_click_ends_its_own_sentence(run, refused, monkeypatch):
    def fail(*args):
        raise click.UsageError("No such thing. Did you mean 'demo'?")

    monkeypatch.setattr(main, "resolve_command", fail)
    words = "No such thing. Did you mean 'demo'? See nengo-hybrid --help"
    refused(run("dem"), words)


def test_no_command_gets_the_help(run):
    result = run()
    told = result.stdout + result.stderr
    assert told.startswith("Usage: ")
    assert "\n  demo " in told


def test_wrong_usage_has_its_status_in_the_shell(in_a_process_of_its_own):
    done = in_a_process_of_its_own(
        """
        import sys
        from nengo_hybrid.cli import main
        sys.argv = ["other-name", "report"]
        main()
        """
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nengo-hybrid: Missing argument 'FILE'; see nengo-hybrid report --help\n"
    )


@pytest.mark.parametrize(
    "place, args",
    [
        ("nengo_hybrid.pipeline.run_recipe", ("demo",)),
        ("nengo_hybrid.recipe.load_recipe", ("train", "digits", "--out", "run")),
        ("nengo_hybrid.bundle.load_bundle", ("deploy", "run")),
        ("nengo_hybrid.bundle.load_deployed", ("emulate", "net.zip")),
        ("nengo_hybrid.bundle.load_deployed", ("estimate", "net.zip")),
        ("nengo_hybrid.report.load_json", ("report", "report.json")),
        (
            "nengo_hybrid.networkfile.split_name",
            ("board", "a.py:net", "--time=1", "--python=python", "--out=board.npz"),
        ),
        ("nengo_hybrid.versions.check_versions", ("doctor",)),
        ("nengo_hybrid.targets.target_names", ("targets",)),
    ],
)
def test_an_interrupt_has_its_status_in_every_command(run, monkeypatch, place, args):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    result = run(*args)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "")
