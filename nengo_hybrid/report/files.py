"""Write a file whole or not at all."""

import contextlib
import os
import pathlib
import secrets

from nengo_hybrid.exceptions import BundleError


def replace_file(path, text):
    """
    Write text to a file in one step: readers see the old file or the new one.

    The text goes to a temporary name in the same folder, which then takes the
    file's place. Where that fails the old file stays, and nothing else is left.

    Parameters
    ----------
    path : str or path-like
    text : str
        Written as UTF-8.

    Returns
    -------
    pathlib.Path
        Where the file is.

    Raises
    ------
    BundleError
        If the folder is missing or cannot be written to, or the disk is full.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise BundleError(
            f"cannot write '{path}': {error.strerror or error}. "
            "Give a path in a folder that exists and can be written to."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path
