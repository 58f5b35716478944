"""A network against a target: a row per object, every breach, and what would fit."""

from math import ceil

from nengo_hybrid.checkup import Change, Checkup, Row
from nengo_hybrid.doctor.fixes import find_fixes
from nengo_hybrid.doctor.limits import find_breaches, fullest
from nengo_hybrid.exceptions import LowerError, TargetError
from nengo_hybrid.lower import count_needs, read_outline
from nengo_hybrid.mapping import utilization
from nengo_hybrid.mapping.limits import LIMITS
from nengo_hybrid.outline import REFUSED
from nengo_hybrid.parameters import copy_network, object_names
from nengo_hybrid.placement import Utilization
from nengo_hybrid.targets import load_target, target_names


def check(network, target="loihi1"):
    """
    Tell whether a network fits a chip, what of it would be there, and what to change.

    Nothing is built: what NengoLoihi would build is counted from its shape, so that a
    network that it refuses is told in full. Weights that are drawn or solved for are
    taken to differ; where NengoLoihi finds equal ones in a split block it needs less.

    Parameters
    ----------
    network : nengo.Network
        Gets NengoLoihi's settings, as when NengoLoihi builds it.
    target : Target or str
        Of kind "neuromorphic".

    Returns
    -------
    Checkup

    Raises
    ------
    TargetError
        If the target is unknown, or is not a chip that networks are mapped onto.
    LowerError
        If the network has nothing on the chip, or NengoLoihi cannot tell what is.

    Examples
    --------
    >>> with nengo.Network() as net:
    ...     neurons = nengo.Ensemble(50, 1)
    >>> found = nh.check(net)
    >>> found.fits, found.n_cores
    (True, 1)
    """
    target = load_chip(target)
    outline = read_outline(network)
    count = count_needs(outline)
    breaches = [find_breaches(blocks, target) for blocks in count.blocks]
    refusals = _refusals(outline, count)
    fixes = ()
    if refusals:
        fixes = _fixes_off_chip(network, outline, target)
    elif any(breaches):
        breached = [i for i, found in enumerate(breaches) if found]
        fixes = find_fixes(outline, target, breached=breached)
    return Checkup(
        target=target.name,
        rows=_rows(outline, count, target),
        n_cores=count.n_cores,
        n_chips=ceil(count.n_cores / target.limit("cores_per_chip")),
        refusals=refusals,
        breaches=tuple(breach for found in breaches for breach in found),
        fix=fixes[0] if fixes else None,
        other_fixes=fixes[1:],
    )


def load_chip(target):
    """
    Return a target onto which networks are mapped.

    Parameters
    ----------
    target : Target or str

    Raises
    ------
    TargetError
        If it is unknown, of another kind, or not a chip that NengoLoihi builds for.
    """
    target = load_target(target) if isinstance(target, str) else target
    reason = _why_not_built(target)
    if reason is not None:
        chips = [n for n in target_names() if _why_not_built(load_target(n)) is None]
        raise TargetError(f"target {target.name!r} {reason}; needed {', '.join(chips)}")
    return target


def _why_not_built(target):
    """Say why NengoLoihi builds nothing for a target, or return None."""
    if target.kind != "neuromorphic":
        return f"is a {target.kind}, onto which no network is mapped"
    if target.format("spike_payload_bits"):
        return "has graded spikes, and needs are counted as NengoLoihi builds them"
    return None


def _refusals(outline, count):
    """List what cannot be built, object by object."""
    found = [f"{s.name!r}: {s.reason}" for s in outline.seats if s.place == REFUSED]
    for inlet, counted in zip(outline.inlets, count.inlets, strict=True):
        if inlet.pop_type == 16 and not counted.is_aligned:
            found.append(
                f"{inlet.owner!r}: axons of pop_type 16 have to begin at every fourth "
                "neuron of a block; put channels last, in blocks of a multiple of 4 "
                "channels, or set pop_type = 32"
            )
    return tuple(found)


def _fixes_off_chip(network, outline, target):
    """Find fixes with ensembles on the host whose neurons the chip cannot run."""
    refused = {
        s.name for s in outline.seats if s.place == REFUSED and s.kind == "ensemble"
    }
    if not refused:
        return ()
    copy = copy_network(network)
    ensembles = {name: obj for obj, name in object_names(copy).items()}
    changes = []
    for name in sorted(refused):
        copy.config[ensembles[name]].on_chip = False
        words = f"run {name!r} on the host: net.config[ensemble].on_chip = False"
        changes.append(Change(name, "on_chip", words, False))
    try:
        changed = read_outline(copy)
    except LowerError:
        return ()
    count = count_needs(changed)
    if _refusals(changed, count):
        return ()
    breached = [i for i, b in enumerate(count.blocks) if find_breaches(b, target)]
    return find_fixes(changed, target, breached=breached, before=tuple(changes))


def _rows(outline, count, target):
    """Make a row for every object, in the order in which NengoLoihi builds them."""
    blocks, inlets, wires, cuts = {}, {}, {}, {}
    for i, (part, found) in enumerate(zip(outline.parts, count.blocks, strict=True)):
        blocks[part.owner] = blocks.get(part.owner, ()) + found
        cuts[part.owner] = _cut_reason(part, found, count.wholes[i], target)
    for inlet, found in zip(outline.inlets, count.inlets, strict=True):
        inlets.setdefault(inlet.owner, []).append(found)
    for wire, found in zip(outline.wires, count.wires, strict=True):
        wires.setdefault(wire.owner, []).append(found)
    rows = []
    for seat in outline.seats:
        own = blocks.get(seat.name, ())
        if own:
            used = fullest(own, target)
        else:
            added = inlets.get(seat.name, []), wires.get(seat.name, [])
            used = _added(*added, target)
        reason = seat.reason + cuts.get(seat.name, "")
        cells = seat.name, seat.kind, seat.place, reason
        rows.append(Row(*cells, n_blocks=len(own), used=used))
    return tuple(rows)


def _cut_reason(part, blocks, whole, target):
    """Say why a part has several blocks."""
    if len(blocks) == 1:
        return ""
    if part.shape is not None:
        return f"; cut into {len(blocks)} by its block_shape"
    needs = [
        f"{available} {name.replace('_', ' ')} of {used}"
        for name, (used, available) in vars(utilization(whole, target)).items()
        if used > available
    ]
    return f"; cut into {len(blocks)}, as a core has {', '.join(needs)}"


def _added(inlets, wires, target):
    """Count the most that a connection adds to a block of another object."""
    used = {
        "compartments": 0,
        "input_axons": max((int(i.axons.max()) for i in inlets), default=0),
        "output_axons": max((int(w.max(initial=0)) for w in wires), default=0),
        "synapse_bits": max((int(i.bits.max()) for i in inlets), default=0),
    }
    if not any(used.values()):
        return None
    return Utilization(
        **{name: (used[name], int(target.limit(key))) for name, key in LIMITS.items()}
    )
