"""A deployed network as a file: the same again, or refused with the reason."""

import dataclasses
import json
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import pipeline
from nengo_hybrid.bundle import (
    Bundle,
    load_bundle,
    load_deployed,
    save_bundle,
    save_deployed,
)
from nengo_hybrid.bundle import archive as archives
from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.graphs import Convolution, digest
from nengo_hybrid.report.schema import check_report


def rewritten(path, change):
    """Write a bundle anew with other content, all digests being right."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    change(manifest, files)
    for name in manifest["sha256"]:
        data = files.get(f"{name}.npy", b"")
        manifest["sha256"][name] = archives._sha256(data)
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_what_is_loaded_is_what_was_saved(deployed, tmp_path):
    found = load_deployed(save_deployed(deployed, tmp_path / "a.zip"))
    assert digest(found) == digest(deployed)
    again = save_deployed(found, tmp_path / "b.zip")
    assert again.read_bytes() == (tmp_path / "a.zip").read_bytes()
    assert check_report(pipeline.make_report(found)) == check_report(
        pipeline.make_report(deployed)
    )


def test_a_projection_that_knows_its_kernel_comes_back(deployed, tmp_path):
    first, *others = deployed.graph.projections
    known = Convolution(np.ones((1, 1, 2)), (1, 3), (1,), (0,), (1,), 1)
    projections = (dataclasses.replace(first, convolution=known), *others)
    graph = dataclasses.replace(deployed.graph, projections=projections)
    made = dataclasses.replace(deployed, graph=graph)

    assert digest(made) != digest(deployed)
    assert digest(load_deployed(save_deployed(made, tmp_path / "a.zip"))) == digest(
        made
    )


def test_a_file_of_before_ranges_is_loaded(deployed, tmp_path):
    def without_ranges(manifest, files):
        fields = manifest["deployed"]["fields"]
        del fields["ranges"]
        fields["run"]["fields"]["trace"]["fields"].pop("ranges", None)
        figures = fields["run"]["fields"]["figures"]["dict"]
        figures.pop("test_ranges", None)

    path = save_deployed(deployed, tmp_path / "a.zip")
    found = load_deployed(rewritten(path, without_ranges))
    assert found.ranges is None
    trace = found.run.trace
    if deployed.is_graded:
        assert trace.ranges is None
        trace = dataclasses.replace(trace, ranges=deployed.run.trace.ranges)
    assert digest(trace) == digest(deployed.run.trace)
    report = check_report(pipeline.make_report(found))
    assert not {"calibration_ranges", "test_ranges"} & set(report)


@settings(deadline=None, max_examples=8, derandomize=True)
@given(
    target=st.sampled_from(["loihi1", "loihi2"]),
    seed=st.integers(0, 2**31 - 1),
    n_hidden=st.integers(1, 40),
)
def test_any_network_comes_back_bit_for_bit(
    make_deployed, tmp_path_factory, target, seed, n_hidden
):
    made = make_deployed(target, seed, n_hidden)
    path = tmp_path_factory.mktemp("deployed") / "net.zip"
    found = load_deployed(save_deployed(made, path))
    assert digest(found) == digest(made)
    x = np.random.default_rng(seed).uniform(-1, 1, (4, 10, 2))
    ours, theirs = (pipeline.run_deployed(each, x, seed=3) for each in (found, made))
    assert digest(ours) == digest(theirs)


def test_a_file_is_loaded_and_run_without_tensorflow_and_nengo_loihi(
    deployed, tmp_path
):
    path = save_deployed(deployed, tmp_path / "a.zip")
    source = f"""
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("tensorflow", "nengo_loihi", "nengo_dl"):
                    raise ModuleNotFoundError(f"No module named {{name!r}}")

        sys.meta_path.insert(0, Missing())
        import numpy as np
        from nengo_hybrid import pipeline
        from nengo_hybrid.bundle import load_deployed
        from nengo_hybrid.graphs import digest

        deployed = load_deployed({str(path)!r})
        print(digest(pipeline.run_deployed(deployed, np.zeros((2, 8, 2)))))
        pipeline.make_report(pipeline.estimate_run(deployed))
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wanted = pipeline.run_deployed(deployed, np.zeros((2, 8, 2)))
    assert (done.stdout, done.stderr) == (digest(wanted) + "\n", "")


@pytest.mark.parametrize("part, command", [("run", "emulate"), ("estimate",) * 2])
def test_a_step_that_is_not_done_is_named(deployed, tmp_path, part, command):
    path = save_deployed(
        dataclasses.replace(deployed, **{part: None}), tmp_path / "a.zip"
    )
    with pytest.raises(BundleError) as caught:
        load_deployed(path, needed=("run", "estimate"))
    assert str(caught.value) == (
        f"bundle {path} has no {part} yet; run `nengo-hybrid {command} {path}` first"
    )


def test_a_trained_network_is_not_taken_for_a_deployed_one(deployed, tmp_path):
    trained = save_bundle(Bundle(deployed.graph, {}), tmp_path / "bundle.zip")
    with pytest.raises(BundleError) as caught:
        load_deployed(trained)
    assert str(caught.value) == (
        f"bundle {trained} is of kind trained; needed a deployed one; run "
        f"`nengo-hybrid deploy {trained}` first"
    )
    path = save_deployed(deployed, tmp_path / "a.zip")
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    assert str(caught.value) == (
        f"bundle {path} is of kind deployed; needed a trained network, such as "
        "run/bundle.zip"
    )


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(deployed, tmp_path, part):
    path = save_deployed(deployed, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(BundleError, match="^bundle .* cannot be read"):
        load_deployed(path)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_a_changed_byte_is_an_error_or_changes_nothing(
    deployed, tmp_path_factory, data
):
    path = tmp_path_factory.mktemp("spoilt") / "a.zip"
    save_deployed(deployed, path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = load_deployed(path)
    except BundleError as error:
        assert str(error).startswith(f"bundle {path} ")
    else:  # a date, or another field that nothing depends on
        assert digest(found) == digest(deployed)


def test_more_than_is_allowed_is_not_unpacked(deployed, tmp_path, monkeypatch):
    path = save_deployed(deployed, tmp_path / "a.zip")

    def bomb(manifest, files):
        files["f8.npy"] = bytes(200_000)

    rewritten(path, bomb)
    monkeypatch.setattr(archives, "LARGEST_BYTES", 150_000)
    with pytest.raises(BundleError, match=r"bytes unpacked, and 150,000 are allowed"):
        load_deployed(path)


def test_a_header_beyond_its_bytes_takes_no_memory(deployed, tmp_path):
    path = save_deployed(deployed, tmp_path / "a.zip")

    def lie(manifest, files):
        import io

        file = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
        np.lib.format.write_array_header_1_0(file, header)
        files["f8.npy"] = file.getvalue() + bytes(16)

    with pytest.raises(BundleError, match="array f8 is no plain array of its size"):
        load_deployed(rewritten(path, lie))


def test_files_that_the_manifest_does_not_name_are_refused(deployed, tmp_path):
    path = save_deployed(deployed, tmp_path / "a.zip")

    def add(manifest, files):
        files["../other"] = b"x"

    with pytest.raises(BundleError, match=r"holds other files than manifest\.json"):
        load_deployed(rewritten(path, add))


def fields(manifest, *path):
    """Return the fields of a part of the deployed network."""
    found = manifest["deployed"]["fields"]
    for key in path:
        found = found[key]
        for kind in ("tuple", "fields"):
            if isinstance(found, dict):
                found = found.get(kind, found)
    return found


def changed(*path, array=None, **values):
    """Return a change of some fields: of plain values, or of an array's place."""

    def change(manifest, files):
        own = fields(manifest, *path)
        own.update(values)
        for name, (place, shape) in (array or {}).items():
            _, old, _ = own[name]["array"]
            own[name]["array"][1:] = [old + place, shape]

    return change


QUANTIZED, BLOCK = ("quantized",), ("quantized", "blocks", 0)
LINES, SYNAPSES = ("quantized", "inputs", 0), (*BLOCK, "synapses", 0)
GRADED = (*QUANTIZED, "populations", 1)
TAMPERED = {
    "loihi1": {
        r"r sends spikes to no synapses": changed(*LINES, "axons", 0, target_block=7),
        r"h sends spikes to no synapses": changed(
            *BLOCK, "axons", 0, target_synapses=1
        ),
        r"axon_of_neuron of h has the shape \(4,\), not \(5,\)": changed(
            *BLOCK, "axons", 0, array={"axon_of_neuron": (0, [4])}
        ),
        r"r has 9 lines": changed(*LINES, n_lines=9),
        r"vth of h has the shape \(1,\), not \(5,\)": changed(
            *BLOCK, array={"vth": (0, [1])}
        ),
        r"base_of_axon of r-h has the shape \(3,\), not \(4,\)": changed(
            *SYNAPSES, array={"base_of_axon": (0, [3])}
        ),
        r"the blocks of out have other neurons than it": changed(
            *QUANTIZED, "blocks", 1, array={"neurons": (-1, [3])}
        ),
        r"its output is not on the chip": changed(*QUANTIZED, output="x"),
        r"it has no time steps": changed(*QUANTIZED, chip_steps=0),
        r"vmax has the shape \(3,\), not \(8,\)": changed(
            "floats", array={"vmax": (0, [3])}
        ),
        r"a route of r leads to no block": changed("placement", "routes", 0, target=9),
        r"the placement of out goes from 0 to 4, beyond 3": changed(
            "placement", "blocks", 1, array={"neurons": (-1, [3])}
        ),
        r"x->r has weights of shape \(1, 2\), not \(2, 2\)": changed(
            "graph", "projections", 0, array={"weights": (0, [1, 2])}
        ),
        r"initial_voltage of h has the shape \(\), not \(5,\)": changed(
            "graph", "populations", 2, initial_voltage=None
        ),
        r"two populations have one name": changed("graph", "populations", 2, name="r"),
    },
    "loihi2": {
        r"r has the unknown program 'halt'": changed(*GRADED, program="halt"),
        r"r has other parameters than its program": changed(*GRADED, program="sum"),
        r"r sends 40 bits": changed(*GRADED, payload_bits=40),
        r"unit of r has the shape \(1,\), not \(2,\)": changed(
            *GRADED, array={"unit": (0, [1])}
        ),
        r"a projection has a delay of 300 steps": changed(
            *QUANTIZED, "projections", 0, delay=300
        ),
        r"its state has 40 bits": changed(*QUANTIZED, "widths", state=40),
        r"it has no input or no output": changed(*QUANTIZED, output="none"),
    },
}


@pytest.mark.parametrize(
    "target, words",
    [(target, words) for target in TAMPERED for words in TAMPERED[target]],
)
def test_what_compiled_code_would_not_notice_is_refused(
    make_deployed, tmp_path, target, words
):
    path = save_deployed(make_deployed(target), tmp_path / "a.zip")

    def with_right_digest(manifest, files):
        TAMPERED[target][words](manifest, files)
        manifest["graph_sha256"] = digest_of(manifest, files)

    with pytest.raises(
        BundleError, match=f"is damaged \\({words}\\); make or fetch it"
    ):
        load_deployed(rewritten(path, with_right_digest))


def digest_of(manifest, files):
    """Return the digest that changed integers have."""
    from nengo_hybrid.bundle.deployed import TYPES
    from nengo_hybrid.bundle.values import put_together

    arrays = {}
    for name in manifest["sha256"]:
        data = files[f"{name}.npy"]
        arrays[name] = archives._array(data, archives._sha256(data), name)
    return put_together(manifest["deployed"], arrays, TYPES).quantized.sha256
