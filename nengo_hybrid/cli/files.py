"""Folders and files for results: seen to be writable before work starts."""

import json
import tempfile
from pathlib import Path

import click

from nengo_hybrid.cli.options import STANDARD_OUTPUT
from nengo_hybrid.exceptions import BundleError


def check_folder(folder):
    """
    Make a folder for results, and see that it can be written, before work starts.

    Raises
    ------
    BundleError
        If it cannot be made or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BundleError(
            f"results need a folder that can be written, got {str(folder)!r} "
            f"({error.strerror}); name another with --out"
        ) from error


def check_files(results, sources):
    """
    See that files can be written, and that none is one that is read.

    Raises
    ------
    BundleError
        If a folder is missing or cannot be written, or one file has two uses.
    """
    used = {Path(file).resolve(): name for name, file in sources.items() if file}
    for option, file in results.items():
        if file in (None, STANDARD_OUTPUT):
            continue
        path = Path(file)
        if path.resolve() in used:
            raise BundleError(
                f"{option} and {used[path.resolve()]} are the same file, {file!r}; "
                "name another"
            )
        used[path.resolve()] = option
        check_file(option, path)


def check_file(option, path):
    """See that a file can be written, with a `BundleError` if it cannot."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        reason = "Is a directory" if path.is_dir() else None
    except OSError as error:
        reason = error.strerror
    if reason:
        raise BundleError(
            f"{option} needs a file in a folder that can be written, got {str(path)!r} "
            f"({reason})"
        )


def write_figures(content, path):
    """Write figures as JSON to a file or standard output; nowhere without a path."""
    if path is None:
        return
    from nengo_hybrid.report.schema import as_plain

    write_text(json.dumps(as_plain(content, ""), indent=2) + "\n", path)


def write_text(text, path):
    """Write a text to a file, in one step, or to standard output."""
    from nengo_hybrid.report.files import replace_file

    if path == STANDARD_OUTPUT:
        click.echo(text, nl=False)
    elif path is not None:
        replace_file(path, text)
