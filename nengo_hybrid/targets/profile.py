"""
Read a profile, a JSON file of one chip or processor, and check every number.

A profile says null for a number that nobody published; a missing name is an error,
so that a slip of the pen does not pass for an unpublished price. What another profile
has already, a profile refers to; see `nengo_hybrid.targets.reference`.
"""

import hashlib
import json
import math
import os
from importlib import resources
from pathlib import Path

from nengo_hybrid.exceptions import TargetError
from nengo_hybrid.targets.reference import with_references
from nengo_hybrid.targets.target import EVIDENCE, UNITS, Sourced, Target

SCHEMA = 1
FIELDS = {"schema", "name", "kind", "date", "host", "sources"}
OPTIONAL_FIELDS = {"chip"}
ENTRY_FIELDS = {"value", "low", "high", "unit", "evidence", "source"}

# SI units that make sense in each section.
SECTIONS = {
    "limits": ("count", "bit"),
    "formats": ("count", "bit"),
    "costs": ("J", "W"),
    "times": ("s",),
    "static": ("W",),
}

_UPDATES = ("synaptic_op", "neuron_update_active", "neuron_update_inactive")

# Names that a profile has to mention, if only as null.
REQUIRED = {
    "neuromorphic": {
        "limits": (
            "cores_per_chip",
            "cores_per_tile",
            "mesh_columns",
            "mesh_rows",
            "compartments_per_core",
            "input_axons_per_core",
            "output_axons_per_core",
            "synapse_memory_per_core",
        ),
        "formats": ("spike_payload_bits",),
        "costs": (
            *_UPDATES,
            "spike_within_tile",
            "hop_east_west",
            "hop_north_south",
            "chip_crossing",
            "host_message",
            "host_injection_power",
        ),
        "times": (
            *_UPDATES,
            "barrier_one_tile",
            "barrier_all_tiles",
            "host_injection",
        ),
        "static": ("chip", "powered"),
    },
    "processor": {"costs": ("mac", "mac_batch1", "neuron_update")},
    "model": {"costs": _UPDATES},
}


def target_names():
    """Return the names of the profiles that come with the package, sorted."""
    files = (Path(entry.name) for entry in _profiles().iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".json"))


def load_target(name_or_path):
    """
    Load a profile and check it.

    Parameters
    ----------
    name_or_path : str or os.PathLike
        A name out of `target_names`, or the path of a profile (``.json``).

    Returns
    -------
    Target

    Raises
    ------
    TargetError
        If there is no such profile, or it is not well formed; the message names
        the field.

    Examples
    --------
    >>> load_target("loihi1").cost("synaptic_op")
    2.36e-11
    """
    file = _find(name_or_path)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(
            f"profile '{file}' cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise TargetError(f"profile '{file}' is not JSON: {error}") from error
    return _parse(content, file.name)


def _profiles():
    return resources.files("nengo_hybrid.targets") / "profiles"


def _packaged(name):
    """Return the content of a profile of the package; None if there is none."""
    if name not in target_names():
        return None
    content = json.loads((_profiles() / f"{name}.json").read_text(encoding="utf-8"))
    return with_references(content, f"profile '{name}.json'", _packaged)


def _find(name_or_path):
    names = target_names()
    if name_or_path in names:
        return _profiles() / f"{name_or_path}.json"
    if isinstance(name_or_path, os.PathLike) or str(name_or_path).endswith(".json"):
        return Path(name_or_path)
    raise TargetError(
        f"target {name_or_path!r} is unknown; needed one of {', '.join(names)}, "
        "or the path of a profile (.json)"
    )


def _parse(content, file_name):
    where = f"profile '{file_name}'"
    _check_fields(content, where)
    content = with_references(content, where, _packaged)
    _check_sections(content, where)
    _check_header(content, where)
    _check_required(content, where)
    sections = {
        name: {
            key: _parse_entry(entry, f"{where}: {name}.{key}", SECTIONS[name], content)
            for key, entry in content[name].items()
        }
        for name in SECTIONS
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return Target(
        name=content["name"],
        kind=content["kind"],
        date=content["date"],
        host=content["host"],
        chip=content.get("chip") or content["name"],
        sources=content["sources"],
        sha256=hashlib.sha256(canonical.encode()).hexdigest(),
        **sections,
    )


def _check_fields(content, where):
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise TargetError(f"{where}: needed an object with schema {SCHEMA}")
    needed = FIELDS | set(SECTIONS)
    for name in sorted((needed ^ set(content)) - OPTIONAL_FIELDS):
        state = "is missing" if name in needed else "is not a field of a profile"
        known = _words(needed | OPTIONAL_FIELDS)
        raise TargetError(f"{where}: '{name}' {state}; needed {known}")


def _check_sections(content, where):
    for name in ("sources", *SECTIONS):
        if not isinstance(content[name], dict):
            raise TargetError(f"{where}: '{name}' must be an object")


def _check_header(content, where):
    if not isinstance(content["name"], str) or not content["name"]:
        raise TargetError(f"{where}: 'name' must be a word")
    if not isinstance(content["date"], (str, type(None))):
        raise TargetError(f"{where}: 'date' must be null or text such as 2018-01")
    if content["kind"] not in tuple(REQUIRED):
        raise TargetError(
            f"{where}: kind is {content['kind']!r}; needed one of {_words(REQUIRED)}"
        )
    if not isinstance(content.get("chip"), (str, type(None))):
        raise TargetError(f"{where}: 'chip' must be null or a word")
    if content["host"] not in (None, *target_names()):
        raise TargetError(
            f"{where}: host is {content['host']!r}; needed null or one of "
            f"{', '.join(target_names())}"
        )


def _check_required(content, where):
    for section, names in REQUIRED[content["kind"]].items():
        for name in names:
            if name not in content[section]:
                raise TargetError(
                    f"{where}: {section}.{name} is missing; "
                    "write null if nobody published it"
                )


def _parse_entry(entry, where, si_units, content):
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise TargetError(f"{where} must be null or an object with {_words()}")
    for name in sorted(set(entry) - ENTRY_FIELDS):
        raise TargetError(f"{where} has an unknown field {name!r}; needed {_words()}")
    for name in ("value", "unit", "evidence", "source"):
        if name not in entry:
            raise TargetError(f"{where} has no {name}")
    _check_unit(entry["unit"], where, si_units)
    _check_evidence(entry["evidence"], where)
    _check_source(entry["source"], where, content["sources"])
    value, low, high = _check_band(entry, where)
    return Sourced(value, entry["unit"], low, high, entry["evidence"], entry["source"])


def _check_unit(unit, where, si_units):
    units = [name for name, (si_unit, _) in UNITS.items() if si_unit in si_units]
    if unit not in units:
        raise TargetError(
            f"{where} has unit {unit!r}; needed one of {', '.join(units)}"
        )


def _check_evidence(evidence, where):
    for word in str(evidence).split(","):
        if word.strip() not in EVIDENCE:
            raise TargetError(
                f"{where} has evidence {word.strip()!r}; "
                f"needed words of {', '.join(EVIDENCE)}"
            )


def _check_source(source, where, sources):
    for part in str(source).split(";"):
        key = (part.split() or [""])[0].rstrip(":,")
        if key not in sources:
            raise TargetError(
                f"{where} cites {key!r}; needed a key of sources: {_words(sources)}"
            )


def _check_band(entry, where):
    """Return (value, low, high); lists become tuples, and have no band."""
    if isinstance(entry["value"], list) and entry["value"]:
        for value in entry["value"]:
            _check_number("value", value, where)
        if "low" in entry or "high" in entry:
            raise TargetError(f"{where} is a choice of values; it has no low or high")
        return (tuple(entry["value"]),) * 3
    value = entry["value"]
    low, high = entry.get("low", value), entry.get("high", value)
    for name, number in (("value", value), ("low", low), ("high", high)):
        _check_number(name, number, where)
    if low > high:
        raise TargetError(f"{where} has low {low} above high {high}")
    if not low <= value <= high:
        raise TargetError(f"{where} has value {value} outside low {low}, high {high}")
    return value, low, high


def _check_number(name, number, where):
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not math.isfinite(number) or number < 0:
        raise TargetError(
            f"{where} has {name} {number!r}; needed a number of at least 0"
        )


def _words(names=ENTRY_FIELDS):
    return ", ".join(sorted(names))
