"""A report as ``report.json``: strict JSON, one file, written whole."""

import json
import pathlib

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report.files import replace_file
from nengo_hybrid.report.schema import check_report


def write_json(report, path):
    """
    Write a report as JSON.

    Parameters
    ----------
    report : dict
        Keys as in `nengo_hybrid.report.schema`; others are kept as they are.
    path : str or path-like
        File in a folder that exists. An older file is replaced in one step.

    Returns
    -------
    pathlib.Path
        Where the file is.

    Raises
    ------
    BundleError
        If a key is missing, a number is not finite, or the file cannot be
        written. Nothing is written then.
    """
    return replace_file(path, to_json(report))


def to_json(report):
    """Return the text that `write_json` writes."""
    return json.dumps(check_report(report), indent=2, allow_nan=False) + "\n"


def load_json(path):
    """
    Read a report that `write_json` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        Equal to what was written, with ``schema``.

    Raises
    ------
    BundleError
        If the file is missing, is not JSON, holds a number that is not finite,
        or lacks a key.
    """
    path = pathlib.Path(path)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return check_report(report)
    except OSError as error:
        raise BundleError(
            f"cannot read the report '{path}': {error.strerror or error}. "
            "Give the path of a report.json."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"'{path}' is not JSON: {error}. Give the path of a report.json."
        ) from error
    except BundleError as error:
        raise BundleError(f"'{path}': {error}") from error
