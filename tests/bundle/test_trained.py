"""Bundles: what is loaded is what was saved, and a damaged one says so."""

import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.bundle import Bundle, load_bundle, save_bundle
from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph, digest

ABOUT = {"recipe": "a", "seed": 3, "accuracy": {"test": 0.5}}


def make_graph(seed=0, n=4, is_exact=True):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n, 2))
    if is_exact:
        weights = weights.astype(np.float32).astype(float)
    hidden = Population(
        "h",
        n,
        "RectifiedLinear",
        omega=2.5,
        bias=rng.normal(size=n),
        initial_voltage=rng.random(n),
        stagger=np.array([1, n - 1]),
    )
    return SpikingGraph(
        dt=1.0,
        populations=(Population("x", 2, "input"), hidden),
        projections=(
            Projection("in", "x", "h", weights),
            Projection("again", "h", "h", rng.normal(size=(n, n)), delay=1),
        ),
        output="h",
    )


@settings(deadline=None, max_examples=20, derandomize=True)
@given(seed=st.integers(0, 2**31 - 1), n=st.integers(2, 9), is_exact=st.booleans())
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, seed, n, is_exact):
    path = tmp_path_factory.mktemp("bundle") / "net.zip"
    graph = make_graph(seed, n, is_exact)
    assert save_bundle(Bundle(graph, ABOUT), path) == path
    found = load_bundle(path)
    assert digest(found.graph) == digest(graph)
    assert found.about == ABOUT


def test_the_same_content_gives_the_same_bytes(tmp_path):
    paths = [save_bundle(Bundle(make_graph(), ABOUT), tmp_path / f"{i}") for i in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_missing_bundle_is_named(tmp_path):
    with pytest.raises(BundleError) as caught:
        load_bundle(tmp_path / "none.zip")
    assert str(caught.value) == (
        f"bundle {tmp_path}/none.zip cannot be read (No such file or directory); "
        "needed a zip that `nengo-hybrid train` wrote"
    )


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_bundle_that_was_cut_off_is_refused(tmp_path, part):
    path = save_bundle(Bundle(make_graph(), ABOUT), tmp_path / "net.zip")
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(BundleError, match="^bundle .* cannot be read"):
        load_bundle(path)


def rewritten(path, change):
    """Write a bundle anew with other files in it, the zip itself being whole."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def other_values(files):
    data = bytearray(files["projection0.weights.npy"])
    data[-1] ^= 1
    files["projection0.weights.npy"] = bytes(data)


def other_schema(files):
    files["manifest.json"] = json.dumps({"schema": 2}).encode()


def other_size(files):
    manifest = json.loads(files["manifest.json"])
    manifest["graph"]["populations"][1]["n_neurons"] = 5
    files["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "change, words",
    [
        (
            other_values,
            "is damaged (array projection0.weights is not the one that was written); "
            "make or fetch it again",
        ),
        (other_schema, "needs schema 1; it is of another version, or none"),
        (
            other_size,
            "is damaged (in has weights of shape (4, 2), not (5, 2)); make or fetch it "
            "again",
        ),
    ],
)
def test_a_bundle_of_other_content_is_refused(tmp_path, change, words):
    path = save_bundle(Bundle(make_graph(), ABOUT), tmp_path / "net.zip")
    with pytest.raises(BundleError) as caught:
        load_bundle(rewritten(path, change))
    assert str(caught.value) == f"bundle {path} {words}"


def test_pickled_arrays_are_not_loaded(tmp_path):
    import hashlib
    import io

    def pickled(files):
        buffer = io.BytesIO()
        np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
        files["projection0.weights.npy"] = buffer.getvalue()
        manifest = json.loads(files["manifest.json"])
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        manifest["sha256"]["projection0.weights"] = digest
        files["manifest.json"] = json.dumps(manifest).encode()

    path = save_bundle(Bundle(make_graph(), ABOUT), tmp_path / "net.zip")
    message = "damaged .array projection0.weights is no plain array of its size"
    with pytest.raises(BundleError, match=message):
        load_bundle(rewritten(path, pickled))


def test_a_folder_that_is_missing_is_named(tmp_path):
    path = tmp_path / "none" / "net.zip"
    with pytest.raises(BundleError) as caught:
        save_bundle(Bundle(make_graph(), ABOUT), path)
    assert str(caught.value) == (
        f"bundle {path} cannot be written (No such file or directory); name a file in "
        "a folder that exists and can be written to"
    )
