"""
What README, docs/ and docstrings show: it runs, it parses, it leads somewhere.

The blocks of a page in Python, and those of console sessions, run in order, in one
namespace and in a folder that has the examples alone. What a session prints is what it
shows, but for lines of [...], and what Python prints is what a block "output" behind it
shows. Comments before a block steer that, and are not seen by a reader:

    <!-- not run: why -->       leaves out the next block
    <!-- run first:             runs what is in the comment
    CODE -->

``small_digits`` is there for such code: digits, and a network trained on a few of them.
"""

import contextlib
import doctest
import functools
import io
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

import nengo_hybrid
from nengo_hybrid.cli import main
from nengo_hybrid.cli.bench import find_benchmark

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(ROOT.glob("nengo_hybrid/**/*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
COMMAND = re.compile(r"(?:^|[;&(]|\bdo|\$) *nengo-hybrid +([^\n]*)", flags=re.MULTILINE)
# A choice in braces is the last word of a synopsis.
ENDS = re.compile(r" {2,}|[;|&>)]| #|\.\.\.$|(?<=\}) ")
PLACEHOLDER = re.compile(r"[A-Z][A-Z_.:a-z]*$|.*[$*?{]")
KINDS = ("python", "console", "output")
# The reference has training as `nengo_hybrid.train.engine.train`, which these call.
NO_PAGE = {
    "nengo_hybrid.__version__",
    "nengo_hybrid.train",
    "nengo_hybrid.train.train",
}


def tokens(path):
    return MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8"))


def blocks(path):
    """Yield (line, "python", "console" or "output", content), in order."""
    left_out = False
    for token in tokens(path):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            left_out = token.content.startswith("<!-- not run: ")
            code = re.match(r"<!-- run first:\n(.*?)-->", token.content, re.DOTALL)
            if code:
                yield line, "python", code[1]
        elif token.type == "fence" and token.info in KINDS:
            if not left_out:
                yield line, token.info, token.content
            left_out = False


@functools.cache
def small_digits():
    """Return digits, and a network that saw a few of them for a moment."""
    import nengo_hybrid as nh
    from nengo_hybrid.datasets import Dataset, Split

    every = nh.datasets.digits()
    parts = every.train.head(60), every.validation.head(20), every.test.head(20)
    data = Dataset("digits", *(Split(p.x[:, :16], p.y) for p in parts), n_classes=10)
    network = nh.networks.SequenceClassifier(
        data.train.x, 10, order=8, theta_steps=16, n_hidden=16, readout_steps=4, seed=0
    )
    settings = {"epochs": 1, "minibatch_size": 20, "readout_steps": 4}
    return data, nh.train(network, data, progress=False, **settings)


# Without the README, whose program is an example with a test of its own.
@pytest.mark.parametrize("path", PAGES[1:], ids=NAMES[1:])
def test_blocks_run(path, tmp_path, monkeypatch):
    shown = list(blocks(path))
    if not shown:
        pytest.skip("nothing to run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    namespace = {"small_digits": small_digits, "__name__": "page"}
    printed = io.StringIO()
    for line, kind, content in shown:
        if kind == "console":
            check_console(content)
        elif kind == "output":
            check_printed(content, printed.getvalue())
        else:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + content, path, "exec"), namespace)


def check_console(content):
    """Run the commands of a session, and compare what they print."""
    sessions = re.findall(r"^\$ nengo-hybrid (.*)\n((?:(?!\$ ).*\n)*)", content, re.M)
    assert sessions
    for command, shown in sessions:
        done = CliRunner().invoke(main, shlex.split(command), env={"COLUMNS": "80"})
        check_printed(shown, done.output)


def check_printed(shown, printed):
    """Compare what is printed with what is shown, but for lines of [...]."""
    printed = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    parts = map(re.escape, shown.split("[...]\n"))
    assert re.fullmatch("(.*\n)*".join(parts), printed), printed


def test_a_session_that_prints_something_else_is_seen():
    version = f"nengo-hybrid, version {nengo_hybrid.__version__}\n"
    check_console(f"$ nengo-hybrid --version\n{version}")
    with pytest.raises(AssertionError):
        check_console(f"$ nengo-hybrid --version\n{version}$ nengo-hybrid --version\n")


def command_lines(path):
    """Yield the words of commands in blocks, and whether they are a whole command."""
    for token in tokens(path):
        if token.type in ("fence", "code_block") and token.info != "python":
            for found in COMMAND.finditer(token.content.replace("\\\n", " ")):
                yield found[1], True
        for child in token.children or []:
            if child.type == "code_inline" and child.content.startswith(
                "nengo-hybrid "
            ):
                yield child.content.removeprefix("nengo-hybrid "), False


def parse(words, is_whole):
    """Parse a command line as click does, apart from placeholders such as FILE."""
    _, words, _ = main.make_parser(click.Context(main)).parse_args(words)
    if not words or PLACEHOLDER.match(words[0]):
        return
    command = main.get_command(click.Context(main), words[0])
    assert command is not None, f"there is no command {words[0]}"
    values, left, _ = command.make_parser(click.Context(command)).parse_args(words[1:])
    assert left == []
    for parameter in command.params:
        value = values.get(parameter.name)
        if is_whole and parameter.required:
            assert value, f"{words[0]} needs {parameter.name}"
        if isinstance(value, str) and not PLACEHOLDER.match(value):
            parameter.type.convert(value, parameter, click.Context(command))
    if words[0] == "bench" and is_whole and not PLACEHOLDER.match(words[1]):
        find_benchmark(words[1])


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_command_lines_parse(path):
    for line, is_whole in command_lines(path):
        words = shlex.split(re.sub(r"[][]", "", ENDS.split(line)[0]))
        try:
            parse(words, is_whole)
        except (click.UsageError, AssertionError) as error:
            pytest.fail(f"nengo-hybrid {line}: {error}")


def test_a_command_line_that_does_not_parse_is_seen():
    for line in ("demo --speed 3", "targets a b", "train digits", "deply run"):
        with pytest.raises((click.UsageError, AssertionError)):
            parse(shlex.split(line), True)


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_scripts_targets_and_files_exist(path):
    text = path.read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in re.findall(r"(?:^    |`)make (?:PYTHON=\S+ )?([a-z]+)", text, re.M):
        assert name in phony[1].split()
    named = r"(?:benchmarks|examples|tests|deploy|docs|nengo_hybrid)/[\w./-]*\w"
    for name in re.findall(rf"(?<![\w/.]){named}", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_links_lead_to_pages(path):
    for token in tokens(path):
        for child in token.children or []:
            link = child.attrs.get("href") or child.attrs.get("src")
            if link and not re.match(r"https?:|#", link):
                assert (path.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_are_right(name):
    import nengo
    import numpy as np

    import_module(name)
    known = {"np": np, "nengo": nengo, "nh": nengo_hybrid}
    # From there, since `nengo_hybrid.train` is a function, too.
    found = doctest.testmod(sys.modules[name], extraglobs=known)
    assert found.attempted and not found.failed


def documented():
    """Return the full names that the reference has a directive for."""
    found = set()
    directive = re.compile(
        r"\.\. auto(\w+):: (\S+)\n(?:   :members:((?:.*\n(?= {6}))*.*))?"
    )
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for kind, name, members in directive.findall(page.read_text(encoding="utf-8")):
            found.add(name)
            if kind == "module":
                room = import_module(name)
                names = re.findall(r"\w+", members) or public(room)
                found |= {f"{name}.{member}" for member in names}
    return found


def public(room):
    """Return the names that a module has for others."""
    own = (
        name
        for name, value in vars(room).items()
        if getattr(value, "__module__", None) == room.__name__
        and not name.startswith("_")
    )
    return getattr(room, "__all__", None) or list(own)


def test_the_reference_has_every_public_name():
    rooms = [
        import_module(f"nengo_hybrid.{path.parent.name}")
        for path in (ROOT / "nengo_hybrid").glob("*/__init__.py")
    ]
    homes = {id(import_module_member(name)) for name in documented()}
    missing = [
        f"{room.__name__}.{name}"
        for room in [nengo_hybrid, *rooms]
        for name in getattr(room, "__all__", ())
        if id(getattr(room, name)) not in homes
    ]
    assert sorted(set(missing) - NO_PAGE) == []


def import_module_member(name):
    """Return the object of a full name."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        home, _, last = name.rpartition(".")
        return getattr(import_module(home), last)
