"""The smallest change that fits, found by making it and counting again."""

from nengo_hybrid.checkup import Fix
from nengo_hybrid.doctor.limits import find_breaches, fits
from nengo_hybrid.doctor.remedies import REMEDIES
from nengo_hybrid.lower import count_needs, count_part

# Output axons go by how what they reach is cut, so they are looked at last.
LAST = {"output_axons"}


def find_fixes(outline, target, *, breached, before=()):
    """
    Find changes with which an outline fits.

    Parameters
    ----------
    outline : Outline
    target : Target
    breached : iterable of int
        Numbers of the parts that exceed a limit.
    before : tuple of Change
        Made already.

    Returns
    -------
    tuple of Fix
        The smallest first: it makes the first change of `REMEDIES` that serves each
        part. Each other one prefers a kind of change that the ones before it do
        without.
    """
    found, kinds = [], list(REMEDIES)
    for preferred in kinds:
        if any(_has(fix, preferred) for fix in found):
            continue
        order = [preferred, *(kind for kind in kinds if kind != preferred)]
        fix = find_fix(outline, target, breached=breached, before=before, kinds=order)
        # Where no part takes the preferred kind, this is the first fix again.
        if fix is not None and fix not in found:
            found.append(fix)
    return tuple(found)


def _has(fix, kind):
    return any(_kind(change) == kind for change in fix.changes)


def _kind(change):
    """Return the remedy of a change; fewer neurons are fewer inputs of a decoder."""
    return "fewer inputs" if change.kind == "fewer neurons" else change.kind


def find_fix(outline, target, *, breached, kinds, before=()):
    """
    Find changes with which an outline fits, part by part.

    Parameters
    ----------
    outline : Outline
    target : Target
    breached : iterable of int
        Numbers of the parts that exceed a limit.
    kinds : list of str
        Of `REMEDIES`, in the order in which they are tried.
    before : tuple of Change
        Made already.

    Returns
    -------
    Fix or None
        None if a part cannot be made to fit.
    """
    waiting, changes = {}, {}
    _wait(outline, target, breached, waiting)
    rounds = 4 * len(outline.parts)
    while waiting:
        rounds -= 1
        number = next((n for n, limits in waiting.items() if limits != LAST), None)
        number = next(iter(waiting)) if number is None else number
        mended = _mend(outline, number, target, kinds)
        if mended is None or rounds < 0:
            return None
        changed, change = mended
        changes.pop((change.name, change.kind), None)
        changes[change.name, change.kind] = change
        _wait(changed, target, {number, *_touched(outline, changed)}, waiting)
        outline = changed
    count = count_needs(outline)
    if not all(fits(blocks, target) for blocks in count.blocks):
        return None
    return Fix((*before, *changes.values()), count.n_cores)


def _wait(outline, target, numbers, waiting):
    """Note which limits some parts exceed now, in ``waiting``; those that fit go."""
    for number in sorted(numbers):
        waiting.pop(number, None)
        breaches = find_breaches(count_part(outline, number)[0], target)
        if breaches:
            waiting[number] = {breach.limit for breach in breaches}


def _mend(outline, number, target, kinds):
    """Return the first changed outline in which a part fits, and the change."""
    for kind in kinds:
        for remedy in REMEDIES[kind]:
            for mended in remedy(outline, number, target):
                return mended
    return None


def _touched(before, after):
    """Return the parts whose needs a change may have changed."""
    pairs = zip(before.parts, after.parts, strict=True)
    parts = {i for i, (old, new) in enumerate(pairs) if old is not new}
    pairs = zip(before.inlets, after.inlets, strict=True)
    parts |= {new.part for old, new in pairs if old is not new}
    for old, new in zip(before.wires, after.wires, strict=True):
        if old is not new:
            parts.add(after.inlets[new.inlet].part)
    senders = {w.source for w in after.wires if after.inlets[w.inlet].part in parts}
    return sorted((parts | senders) - {None})
