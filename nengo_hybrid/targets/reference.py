"""
Numbers that one profile takes from another, so that each stands once.

A section may be the name of a profile, whose section it then is. A number may be an
object with ``from``, the name of a profile that has a number of the same name; with
``divided_by`` it is that part of it. ``evidence`` and ``source`` stand before those of
the other profile.
"""

from nengo_hybrid.exceptions import TargetError

REFERENCE_FIELDS = ("divided_by", "evidence", "from", "source")
SECTION_NAMES = ("limits", "formats", "costs", "times", "static")


def with_references(content, where, read):
    """
    Put in what a profile takes from others.

    Parameters
    ----------
    content : dict
        Of a profile.
    where : str
        What to call it in an error.
    read : callable
        Returns the content of the profile of a name, or None if there is none.

    Returns
    -------
    dict
        A new one, whose ``sources`` have those of the numbers that were taken.

    Raises
    ------
    TargetError
        If there is no such profile or number, or a reference is not well formed.
    """
    found, sources = dict(content), {}
    for section in SECTION_NAMES:
        entries = content[section]
        if isinstance(entries, str):
            other = _other(entries, f"{where}: {section}", read)
            found[section] = dict(other[section])
            for entry in found[section].values():
                sources |= _sources(entry, other)
        elif isinstance(entries, dict):
            found[section] = dict(entries)
            for name, entry in entries.items():
                if isinstance(entry, dict) and "from" in entry:
                    at = f"{where}: {section}.{name}"
                    other = _other(entry["from"], at, read)
                    found[section][name] = _taken(entry, other[section], name, at)
                    sources |= _sources(found[section][name], other)
    if sources and isinstance(content["sources"], dict):
        found["sources"] = {**sources, **content["sources"]}
    return found


def _other(name, where, read):
    other = read(name) if isinstance(name, str) else None
    if other is None:
        raise TargetError(f"{where} is from {name!r}; needed a profile of the package")
    return other


def _taken(entry, others, name, where):
    """Return the number that another profile has, or a part of it."""
    for field in sorted(set(entry) - set(REFERENCE_FIELDS)):
        raise TargetError(
            f"{where} has an unknown field {field!r}; needed "
            f"{', '.join(REFERENCE_FIELDS)}"
        )
    if others.get(name) is None:
        raise TargetError(f"{where} is from {entry['from']!r}, which has none")
    taken, divisor = dict(others[name]), entry.get("divided_by", 1)
    if isinstance(divisor, bool) or not isinstance(divisor, (int, float)):
        divisor = 0
    if divisor <= 0:
        raise TargetError(
            f"{where} has divided_by {entry['divided_by']!r}; needed a number above 0"
        )
    if divisor != 1:
        for part in {"value", "low", "high"} & set(taken):
            # 4.7 / 5 is not the float nearest 0.94; the twelve digits are.
            taken[part] = float(f"{taken[part] / divisor:.12g}")
    for field, joint in (("evidence", ", "), ("source", "; ")):
        if field in entry:
            taken[field] = f"{entry[field]}{joint}{taken[field]}"
    return taken


def _sources(entry, other):
    """Return the sources that a number of another profile cites."""
    parts = [] if entry is None else str(entry["source"]).split(";")
    keys = [(part.split() or [""])[0].rstrip(":,") for part in parts]
    return {key: other["sources"][key] for key in keys if key in other["sources"]}
