"""The command targets: every number with its evidence, and a user's own profile."""

import json

import pytest

from nengo_hybrid.targets import EVIDENCE, load_target, target_names


def test_every_profile_is_listed(run):
    result = run("targets")
    assert result.exit_code == 0
    for name in target_names():
        assert name in result.stdout


def test_numbers_have_band_evidence_and_source(run):
    result = run("targets", "loihi1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "loihi1: neuromorphic, 2018-01, host cpu-i7-4960x"
    place = lines.index("costs")
    assert lines[place + 1 : place + 4] == [
        "  synaptic_op               23.6 (23.6 to 35.5) pJ; simulated, quoted",
        "      davies2018 table 2: a minimum; sanafe fit, dense layers: high",
        "  neuron_update_active      81 (52 to 81) pJ; simulated, quoted",
    ]
    assert "  host_message              unpublished" in lines
    assert any(line.startswith("  davies2018: ") for line in lines)


@pytest.mark.parametrize("name", target_names())
def test_everything_is_there_in_80_columns(run, name):
    lines = run("targets", name).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    words, target = " ".join(" ".join(lines).split()), load_target(name)
    for section in ("limits", "formats", "costs", "times", "static"):
        for key, entry in getattr(target, section).items():
            assert f" {key} " in words
            assert entry is None or entry.source in words
    for text in target.sources.values():
        assert text in words


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a user's profile with a price changed."""

    def write(**change):
        price = {
            "value": 2,
            "unit": "nJ",
            "evidence": "measured",
            "source": "me: at home",
        }
        content = {
            "schema": 1,
            "name": "mine",
            "kind": "processor",
            "date": None,
            "host": None,
            "limits": {},
            "formats": {},
            "costs": {
                "mac": {k: v for k, v in {**price, **change}.items() if v is not None},
                "mac_batch1": None,
                "neuron_update": {"from": "cortex-a"},
            },
            "times": {},
            "static": {},
            "sources": {"me": "A notebook"},
        }
        (tmp_path / "mine.json").write_text(json.dumps(content), encoding="utf-8")

    return write


def test_a_profile_of_ones_own(run, write):
    write()
    result = run("targets", "mine.json")
    assert result.exit_code == 0
    assert "  mac                       2 nJ; measured\n" in result.stdout
    assert "  neuron_update             0.9 nJ; quoted\n" in result.stdout


UNITS = "J, mJ, uJ, nJ, pJ, W, mW, uW"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"unit": None}, "has no unit"),
        ({"unit": "ns"}, f"has unit 'ns'; needed one of {UNITS}"),
        ({"value": -2}, "has value -2; needed a number of at least 0"),
        (
            {"evidence": "guessed"},
            f"has evidence 'guessed'; needed words of {', '.join(EVIDENCE)}",
        ),
        ({"source": "you"}, "cites 'you'; needed a key of sources: keras-spiking, me"),
    ],
)
def test_a_spoilt_profile_is_refused_by_its_field(run, write, refused, change, words):
    write(**change)
    refused(
        run("targets", "mine.json"),
        f"TargetError: profile 'mine.json': costs.mac {words}",
    )
