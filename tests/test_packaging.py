"""What a user gets from ``pip install``: the content of the wheel."""

import configparser
import email
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import nengo_hybrid

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRODUCT = pathlib.Path(nengo_hybrid.__file__).parent
LEFT_OUT = ("tests", "docs", "deploy", "examples", "benchmarks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy without the folders that it leaves out."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(
            ".*", "*.egg-info", "__pycache__", "build", "dist", "demo-out", *LEFT_OUT
        ),
    )
    for name in LEFT_OUT:
        (source / name).mkdir()
        (source / name / "__init__.py").touch()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    done = subprocess.run(
        [*command, str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def metadata(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_wheel_holds_every_file_of_the_package(wheel):
    files = {
        path.relative_to(PRODUCT.parent).as_posix()
        for path in PRODUCT.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {
        "nengo_hybrid/cli/__init__.py",
        "nengo_hybrid/report/templates/style.css",
        "nengo_hybrid/targets/profiles/loihi1.json",
    } <= files
    assert files <= set(wheel.namelist())


def test_wheel_holds_nothing_but_the_package(wheel):
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    version = nengo_hybrid.__version__
    assert folders == {"nengo_hybrid", f"nengo_hybrid-{version}.dist-info"}
    assert not folders & set(LEFT_OUT)


def test_wheel_has_the_command(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    entries = configparser.ConfigParser()
    entries.read_string(wheel.read(name).decode())
    assert dict(entries["console_scripts"]) == {"nengo-hybrid": "nengo_hybrid.cli:main"}


def test_wheel_says_version_python_and_licence(wheel):
    said = metadata(wheel)
    assert said["Name"] == "nengo-hybrid"
    assert said["Version"] == nengo_hybrid.__version__
    assert set(said["Requires-Python"].split(",")) == {">=3.10", "<3.14"}
    licences = {pathlib.PurePosixPath(n).name for n in said.get_all("License-File")}
    assert {"LICENSE", "NOTICE"} <= licences


def test_wheel_asks_for_tensorflow_only_to_train(wheel):
    asked = metadata(wheel).get_all("Requires-Dist")
    heavy = [a for a in asked if a.startswith(("tensorflow", "tf-keras", "nengo-dl"))]
    assert len(heavy) == 3
    assert all(a.endswith('; extra == "train"') for a in heavy)
