"""
Make the virtual environment that the Makefile works in.

    python .ci/environment.py FOLDER

Installs what ``deploy/constraints`` pins for the Python that runs this file,
and the package itself in place. Does nothing while the environment was made
from the same files. It counts as made only once everything is installed, so an
interrupted call starts over.

This file runs before anything is installed: standard library only.
"""

import contextlib
import hashlib
import os
import pathlib
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Settings of pip that would install elsewhere than into the environment.
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")


def main(folder):
    """Make the environment unless it is there already."""
    constraints = ROOT / f"deploy/constraints/py3{sys.version_info.minor}.txt"
    with alone():
        stamp = folder / "made-from"
        wanted = fingerprint(constraints)
        if not stamp.is_file() or stamp.read_text() != wanted:
            make(folder, constraints)
            stamp.write_text(wanted)


def fingerprint(constraints):
    """Hash what decides on the content of the environment."""
    sha = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    version = ROOT / "nengo_hybrid" / "version.py"
    for path in (constraints, ROOT / "setup.py", version, pathlib.Path(__file__)):
        sha.update(path.read_bytes())
    return sha.hexdigest()


@contextlib.contextmanager
def alone():
    """Wait until no other call works on this repository, where files can lock."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    # "r+" because a network file system locks only what can be written.
    with open(__file__, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(folder, constraints):
    """Make the environment anew and install into it, stage by stage."""
    stages = [
        ("pip's own tools", ["setuptools<81", "wheel"]),
        ("TensorFlow", ["tensorflow", "tf-keras"]),
        # Ships as source and reads at build time which TensorFlow is there, so a
        # copy that pip built elsewhere can ask for the wrong one.
        ("NengoDL", ["--no-build-isolation", "--no-cache-dir", "nengo-dl"]),
        (
            "nengo-hybrid and the rest",
            ["--no-build-isolation", "--editable", ".[train,tests]"],
        ),
    ]
    started = time.monotonic()
    say(f"Setting up {folder.name}, once; this takes a few minutes.")
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        sys.exit(
            f"{sys.executable} cannot make an environment with pip in it. On Debian "
            "and Ubuntu: apt-get install python3-venv"
        )
    python = folder / "bin" / "python"
    for number, (what, arguments) in enumerate(stages, start=1):
        say(f"  [{number}/{len(stages)}] {what}")
        install(python, constraints, arguments)
    say(f"  done in {time.monotonic() - started:.0f} s")


def install(python, constraints, arguments):
    """Run pip, quiet unless it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in MISLEADING}
    environment["PIP_USER"] = "0"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    pip += ["install", "-qq", "--progress-bar", "off", "-c", str(constraints)]
    subprocess.run([*pip, *arguments], check=True, env=environment, cwd=ROOT)


def say(words):
    """Print one line of progress at once, whatever the output goes to."""
    print(words, flush=True)


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).absolute())
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up failed with status {error.returncode}; pip says why above. "
            "Once that is mended, the same command starts over."
        )
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; the same command starts over.")
