"""The JSON Schema of a report, from what `nengo_hybrid.report.schema` asks for."""

import types
import typing

from nengo_hybrid.report.schema import (
    HISTOGRAMS,
    OPTIONAL_ROWS,
    RANGES,
    REQUIRED,
    REQUIRED_OF_MESH,
    REQUIRED_PER_CHANGE,
    REQUIRED_PER_COMPARISON,
    REQUIRED_PER_POPULATION,
    REQUIRED_PER_STEP,
    REQUIRED_PER_TERM,
    REQUIRED_WITHIN,
    SCHEMA,
)

JSON_TYPES = {
    str: "string",
    int: "integer",
    dict: "object",
    list: "array",
    type(None): "null",
}


def json_schema():
    """
    Return the JSON Schema of a report.

    As the check of a report does, it lets further keys through.
    """
    found = {key: {"type": _json_type(kind)} for key, kind in REQUIRED.items()}
    for key, names in REQUIRED_WITHIN.items():
        found[key]["required"] = list(names)
    found["resources"]["properties"] = {"worst_core": {"type": "object"}}
    found["energy"]["properties"] = {
        "terms": _rows(REQUIRED_PER_TERM),
        "unpriced": {"type": "array"},
    }
    found["activity"]["additionalProperties"] = _row(REQUIRED_PER_POPULATION)
    found["compare"] = _rows(REQUIRED_PER_COMPARISON)
    found["waterfall"] = _row(
        ("rows", "populations"),
        rows=_rows(REQUIRED_PER_STEP),
        populations=_rows(REQUIRED_PER_CHANGE, causes={"type": "object"}),
    )
    found |= {key: _rows(names) for key, names in OPTIONAL_ROWS.items()}
    pair = {"type": "array", "minItems": 2, "maxItems": 2}
    found["cores"]["items"]["properties"] = {
        "limits": {"type": "object", "additionalProperties": pair},
        "populations": {"type": "object"},
    }
    for key in RANGES:
        found[key]["items"]["properties"] = {
            "payload": pair,
            "state": {**pair, "type": ["array", "null"]},
            "error": {**pair, "type": ["array", "null"]},
        }
    found["mesh"] = _row(REQUIRED_OF_MESH)
    found |= {key: _table({"type": "object"}) for key in HISTOGRAMS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nengo-hybrid report",
        "type": "object",
        "properties": {"schema": {"const": SCHEMA}, **found},
        "required": ["schema", *REQUIRED],
        # A total is withheld while something counted has no price.
        "if": _within_energy("unpriced", {"minItems": 1}),
        "then": _within_energy("total_j", {"type": "null"}),
    }


def _json_type(kind):
    if isinstance(kind, types.UnionType):
        return [JSON_TYPES[part] for part in typing.get_args(kind)]
    return JSON_TYPES[kind]


def _row(names, **properties):
    row = {"type": "object", "required": list(names)}
    return {**row, "properties": properties} if properties else row


def _rows(names, **properties):
    return {"type": "array", "items": _row(names, **properties)}


def _table(row):
    return {"type": "object", "additionalProperties": row}


def _within_energy(name, form):
    return {"properties": {"energy": {"properties": {name: form}}}}
