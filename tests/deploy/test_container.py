"""The container: what it copies is there, its versions are pinned, its user is none."""

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def instructions(text):
    """Return (name, rest) of each instruction, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


FOUND = instructions(TEXT)


def copied():
    """Return the paths of the checkout that are copied into the image."""
    lines = [rest.split() for name, rest in FOUND if name == "COPY"]
    return [path for words in lines if "--from" not in words[0] for path in words[:-1]]


def is_sent(path):
    """Tell whether a path is sent to the builder; the last rule that fits decides."""
    sent = True
    for rule in IGNORED:
        if rule.strip() and not rule.startswith("#"):
            pattern = rule.removeprefix("!")
            if fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
                sent = rule.startswith("!")
    return sent


def test_instructions_are_joined_and_comments_left_out():
    assert instructions("# no\nRUN a \\\n && b\nUSER 1\n") == [
        ("RUN", "a   && b"),
        ("USER", "1"),
    ]


def test_what_is_copied_is_there_and_sent():
    assert "nengo_hybrid" in copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert is_sent(path), path


def test_what_the_wheel_is_made_of_is_copied():
    named = re.findall(r'root / "([\w.]+)"', (ROOT / "setup.py").read_text())
    included = (ROOT / "MANIFEST.in").read_text().split()[1:]
    assert {*named, *included, "LICENSE", "pyproject.toml"} <= set(copied())


def test_nothing_else_is_sent():
    for path in ("examples/digits.py", ".git/config", "deploy/README.md", "tests"):
        assert not is_sent(path), path
    assert not is_sent("nengo_hybrid/cli/__pycache__")


def test_the_last_user_is_not_root():
    users = [rest for name, rest in FOUND if name == "USER"]
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")
    # By number, so that a place which refuses root can tell.
    assert users[-1].isdigit()
    after = FOUND[FOUND.index(("USER", users[-1])) :]
    assert all(name not in ("RUN", "COPY", "ADD") for name, _ in after)


def test_every_installation_is_pinned():
    runs = [rest for name, rest in FOUND if name == "RUN" and "pip" in rest]
    assert len(runs) == 2
    for line in runs:
        for command in re.findall(r"pip install [^;&]*", line):
            assert " -c " in command, command
    (default,) = (rest for name, rest in FOUND if rest.startswith("PYTHON="))
    pins = default.removeprefix("PYTHON=").replace(".", "")
    assert (ROOT / "deploy" / "constraints" / f"py{pins}.txt").is_file()


def test_training_is_on_demand_and_in_the_order_that_works():
    assert ("ARG", "TRAIN=") in FOUND
    (line,) = (rest for name, rest in FOUND if "nengo-dl" in rest)
    steps = ['"setuptools<81"', "tensorflow tf-keras", "--no-build-isolation nengo-dl"]
    places = [line.index(step) for step in steps]
    assert places == sorted(places)
    assert line.index('if [ -n "$TRAIN" ]') < places[0] < line.index("fi;")
