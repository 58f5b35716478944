"""What holds for every command: examples, options, colours, completion."""

import json
import re

import click
import pytest
from click.testing import CliRunner

from nengo_hybrid.cli import main
from nengo_hybrid.targets import load_target, target_names

# They print a text that is made for another program.
WITHOUT_FIGURES = ("schema", "completion")


def options(command):
    return {name for p in command.params for name in p.opts}


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_is_short_and_has_an_example(run, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    result = run(name, "--help")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    examples = [line for line in lines if line.startswith("  ") and name in line]
    assert any(f"nengo-hybrid {name}" in line for line in examples)
    assert len(lines) <= 55 and max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", sorted(main.commands))
def test_examples_have_options_that_there_are(name):
    command = main.commands[name]
    examples = re.findall(rf"nengo-hybrid {name} (.*)", command.help)
    assert set(re.findall(r"--[a-z-]+", " ".join(examples))) <= options(command)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_the_options_of_all(name):
    found = options(main.commands[name])
    for option in ("--quiet", "--json"):
        assert (option in found) == (name not in WITHOUT_FIGURES)
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.name == "seed"


def test_help_names_the_commands_in_the_order_of_use(run):
    lines = run("--help").stdout.splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    names = [line.split()[0] for line in commands if line.startswith("  ")]
    assert names[:6] == ["demo", "train", "deploy", "emulate", "estimate", "report"]


def completed(words):
    """Return what bash is told for a line that was begun."""
    begun = {
        "_NENGO_HYBRID_COMPLETE": "bash_complete",
        "COMP_WORDS": f"nengo-hybrid {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    result = CliRunner().invoke(main, [], env=begun, prog_name="nengo-hybrid")
    return [line.split(",") for line in result.output.splitlines()]


@pytest.mark.parametrize(
    "words, wanted",
    [
        ("em", [["plain", "emulate"]]),
        ("deploy run --tar", [["plain", "--target"]]),
        ("deploy run --target loihi1-", [["plain", "loihi1-fitted"]]),
        (
            "demo --recipe dig",
            [["plain", "digits"], ["plain", "digits-graded"], ["file", "dig"]],
        ),
        ("emulate run/lo", [["file", "run/lo"]]),
        ("board a.py:net --python /opt/", [["file", "/opt/"]]),
        ("schema re", [["plain", "recipe"], ["plain", "report"]]),
    ],
)
def test_a_shell_completes_commands_options_targets_and_files(words, wanted):
    assert completed(words) == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_NENGO_HYBRID_COMPLETE={shell}_complete" in result.stdout
    assert "nengo-hybrid" in result.stdout


COLOUR = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|4[0-7]|9[0-7])\b")


def test_no_colours_but_on_a_terminal(run, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\x1b" not in run("doctor").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(run("doctor").stdout)


def test_targets_as_json(run, tmp_path):
    result = run("targets", "loihi1", "--json", "-")
    (found,) = json.loads(result.stdout)
    assert found["sha256"] == load_target("loihi1").sha256
    assert found["costs"]["synaptic_op"]["value"] == 23.6
    assert run("targets", "--json", "all.json", "--quiet").stdout == ""
    every = json.loads((tmp_path / "all.json").read_text())
    assert [target["name"] for target in every] == list(target_names())
