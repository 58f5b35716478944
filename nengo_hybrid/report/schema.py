"""What a report holds (schema 1), and the check of it."""

import math

from nengo_hybrid.exceptions import BundleError

SCHEMA = 1

# What must be there, per inference unless said otherwise. A value may be None
# where nothing is known; the key says that somebody looked.
REQUIRED = {
    "recipe": str | None,
    "target": str,
    "backend": str,
    "seed": int | None,
    "versions": dict,
    "data_sha256": str | None,
    "stamp": str,
    "accuracy": dict,
    "activity": dict,
    "resources": dict,
    "counts": dict,
    "energy": dict,
    "latency": dict,
    "compare": list,
}

REQUIRED_WITHIN = {
    "accuracy": ("rate", "hybrid", "deployed", "n_test"),
    "resources": (
        "chips",
        "cores",
        "compartments",
        "input_axons",
        "output_axons",
        "synapse_bits",
        "worst_core",
    ),
    "counts": (
        "synaptic_ops",
        "neuron_updates_active",
        "neuron_updates_inactive",
        "spikes",
        "spike_hops",
        "host_messages",
        "n_steps",
    ),
    "energy": (
        "total_j",
        "dynamic_j",
        "static_j",
        "low_j",
        "high_j",
        "terms",
        "unpriced",
    ),
    "latency": ("step_s", "inference_s", "bound_by"),
}

REQUIRED_PER_POPULATION = (
    "bits_max",
    "bits_entropy",
    "significant_bits",
    "spikes_per_step",
)
REQUIRED_PER_COMPARISON = ("target", "energy_j", "evidence")
REQUIRED_PER_TERM = ("name",)
# Within "waterfall", which a report may lack.
REQUIRED_PER_STEP = (
    "step",
    "accuracy",
    "n_test",
    "delta",
    "standard_error",
    "n_lost",
    "n_gained",
)
REQUIRED_PER_CHANGE = ("step", "name", "error", "causes")
# Of a sweep, which need not be there; ``on_front`` says that no other row is better.
REQUIRED_PER_ROW = (
    "name",
    "accuracy",
    "bits_max",
    "significant_bits",
    "synaptic_ops",
    "on_front",
)

# Of integers, on chips with graded spikes: ``payload`` and ``state`` are pairs of the
# largest size and what its width holds, ``error`` of the root mean square of what was
# sent less what floats send, and of that, in its units; None where there is none.
REQUIRED_PER_RANGE = ("name", "payload", "state", "saturated", "error")
RANGES = ("calibration_ranges", "test_ranges")
# Tables that a report may lack, and what a row needs; a table by population has its
# rows under their names. ``limits`` are pairs of what is used and of how much, None if
# there is no fixed limit; ``load`` is the largest part of a limit in use.
OPTIONAL_ROWS = {
    "sweep": REQUIRED_PER_ROW,
    "cores": ("chip", "core", "load", "limits", "populations"),
    "on_chip": ("name", "n_neurons", "n_cores", "n_chips"),
    **dict.fromkeys(RANGES, REQUIRED_PER_RANGE),
}
# Where cores are on a chip, None where that is not published: tiles stand row by row,
# and cores tile by tile.
REQUIRED_OF_MESH = ("cores_per_chip", "cores_per_tile", "mesh_columns")
# By population, how often which value was sent: counts of a step in floats, and the
# sizes of payloads in bits on chips with graded spikes.
HISTOGRAMS = ("sent", "payload_bits")

PLAIN = (str, bool, int, type(None))


def check_report(report):
    """
    Check that a report has the keys of schema 1, and copy it as plain data.

    Parameters
    ----------
    report : dict
        Any key beyond the required ones is let through.

    Returns
    -------
    dict
        The same values as str, int, float, bool, None, list and dict; NumPy
        numbers and arrays and tuples are converted. ``schema`` comes first.

    Raises
    ------
    BundleError
        If a key is missing, a value has the wrong kind, is not finite or is not
        plain, or the report has another schema. The message names the key.
    """
    if not isinstance(report, dict):
        raise BundleError(f"a report is a dict, got {type(report).__name__}")
    plain = {"schema": SCHEMA, **as_plain(report, "")}
    if plain["schema"] != SCHEMA:
        raise BundleError(
            f"this version reads reports of schema {SCHEMA}, got schema "
            f"{plain['schema']!r}; use the version of nengo-hybrid that wrote it"
        )
    for key, kind in REQUIRED.items():
        _require(plain, key, "")
        _require_kind(plain[key], key, kind)
    for key, names in REQUIRED_WITHIN.items():
        for name in names:
            _require(plain[key], name, f"{key}.")
    _check_tables(plain)
    return plain


def _check_tables(plain):
    """Check the rows of the tables whose length is not fixed."""
    energy = plain["energy"]
    _require_kind(plain["resources"]["worst_core"], "resources.worst_core", dict)
    _require_kind(energy["terms"], "energy.terms", list)
    _require_kind(energy["unpriced"], "energy.unpriced", list)
    _require_rows(plain["activity"].items(), "activity", REQUIRED_PER_POPULATION)
    _require_rows(enumerate(energy["terms"]), "energy.terms", REQUIRED_PER_TERM)
    _require_rows(enumerate(plain["compare"]), "compare", REQUIRED_PER_COMPARISON)
    if "waterfall" in plain:
        _check_waterfall(plain["waterfall"])
    for key, names in OPTIONAL_ROWS.items():
        if key in plain:
            _require_kind(plain[key], key, list)
            _require_rows(enumerate(plain[key]), key, names)
    _check_cores(plain)
    _check_ranges(plain)
    for key in HISTOGRAMS:
        if key in plain:
            _require_kind(plain[key], key, dict)
            _require_rows(plain[key].items(), key, ())
    if energy["unpriced"] and energy["total_j"] is not None:
        raise BundleError(
            f"report key 'energy.total_j' is {energy['total_j']!r}, but "
            f"{', '.join(map(str, energy['unpriced']))} is counted and has no price; "
            "a total must be None then, never too small"
        )


def _check_waterfall(waterfall):
    _require_kind(waterfall, "waterfall", dict)
    tables = {"rows": REQUIRED_PER_STEP, "populations": REQUIRED_PER_CHANGE}
    for name, required in tables.items():
        key = f"waterfall.{name}"
        _require(waterfall, name, "waterfall.")
        _require_kind(waterfall[name], key, list)
        _require_rows(enumerate(waterfall[name]), key, required)
    for i, row in enumerate(waterfall["populations"]):
        _require_kind(row["causes"], f"waterfall.populations.{i}.causes", dict)


def _check_cores(plain):
    if "mesh" in plain:
        _require_kind(plain["mesh"], "mesh", dict)
        for name in REQUIRED_OF_MESH:
            _require(plain["mesh"], name, "mesh.")
    for i, row in enumerate(plain.get("cores", [])):
        for name in ("limits", "populations"):
            _require_kind(row[name], f"cores.{i}.{name}", dict)
        for name, pair in row["limits"].items():
            if not _is_pair(pair):
                raise BundleError(
                    f"report key 'cores.{i}.limits.{name}' needs what is used and the "
                    f"limit, as [used, limit], got {pair!r}"
                )


def _check_ranges(plain):
    for key in RANGES:
        for i, row in enumerate(plain.get(key, [])):
            for name in ("payload", "state", "error"):
                pair = row[name]
                if not _is_pair(pair) and (pair is not None or name == "payload"):
                    raise BundleError(
                        f"report key '{key}.{i}.{name}' needs a pair of numbers, got "
                        f"{pair!r}"
                    )


def _is_pair(value):
    return isinstance(value, list) and len(value) == 2


def _require_rows(rows, key, names):
    for label, row in rows:
        _require_kind(row, f"{key}.{label}", dict)
        for name in names:
            _require(row, name, f"{key}.{label}.")


def _require(table, name, prefix):
    if name not in table:
        raise BundleError(
            f"report lacks the key '{prefix}{name}'; use None for a value that "
            "is not known"
        )


def _require_kind(value, key, kind):
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleError(
            f"report key '{key}' needs a value of type "
            f"{getattr(kind, '__name__', kind)}, got {type(value).__name__}"
        )


def as_plain(value, key):
    """
    Copy a tree of values as what JSON can hold, exactly.

    Parameters
    ----------
    value : object
        Dicts with str keys, lists, tuples, NumPy arrays and numbers.
    key : str
        Where the value stands, such as ``"energy.total_j"``, for the message.

    Raises
    ------
    BundleError
        For a number that is not finite, a key that is not a str, and for any
        other type.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BundleError(
                f"report key '{key}' is {value}; write None where a number is unknown"
            )
        return value
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [as_plain(item, f"{key}.{i}") for i, item in enumerate(value)]
    if isinstance(value, dict):
        return _plain_table(value, key)
    raise BundleError(
        f"report key '{key}' needs a number, a str, None, a list or a dict, got "
        f"{type(value).__name__}"
    )


def _plain_table(table, key):
    prefix = f"{key}." if key else ""
    for name in table:
        if not isinstance(name, str):
            raise BundleError(
                f"report key '{prefix}{name}' must be a str, got {type(name).__name__}"
            )
    return {name: as_plain(item, f"{prefix}{name}") for name, item in table.items()}
