"""What the blocks of a part exceed, by the design rules of mapping."""

from dataclasses import dataclass

from nengo_hybrid.checkup import Breach
from nengo_hybrid.mapping import breaks_core_limits, utilization
from nengo_hybrid.placement import Utilization


@dataclass(frozen=True)
class CheckedBlock:
    """A block beside the limits of its core."""

    name: str
    utilization: Utilization


def check_blocks(blocks, target):
    """Return blocks beside the limits of a target."""
    return [CheckedBlock(block.name, utilization(block, target)) for block in blocks]


def fits(blocks, target):
    """Tell whether every block keeps all limits of a core."""
    checked = check_blocks(blocks, target)
    return not any(sentence for b in checked for sentence in breaks_core_limits(b))


def find_breaches(blocks, target):
    """
    List what the blocks of one part exceed, by limit.

    Parameters
    ----------
    blocks : tuple of BlockNeeds
    target : Target

    Returns
    -------
    list of Breach
    """
    checked = [b for b in check_blocks(blocks, target) if any(breaks_core_limits(b))]
    found = []
    for limit in Utilization.__dataclass_fields__:
        uses = [(getattr(b.utilization, limit), b) for b in checked]
        over = [(used, b) for (used, available), b in uses if used > available]
        if not over:
            continue
        used, worst = max(over, key=lambda pair: pair[0])
        alone = Utilization(
            **{
                name: values if name == limit else (0, values[1])
                for name, values in vars(worst.utilization).items()
            }
        )
        (words,) = breaks_core_limits(CheckedBlock(worst.name, alone))
        available = getattr(worst.utilization, limit)[1]
        name = blocks[0].population
        found.append(Breach(name, limit, used, available, len(over), words))
    return found


def fullest(blocks, target):
    """Return the most that one of some blocks uses, limit by limit."""
    uses = [vars(b.utilization) for b in check_blocks(blocks, target)]
    return Utilization(**{name: max(u[name] for u in uses) for name in uses[0]})
