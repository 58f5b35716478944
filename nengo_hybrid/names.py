"""What objects of a network are called where people read it."""

import re


def plain_name(named):
    """
    Shorten what Nengo calls an object: to its label, or its type if it has none.

    Parameters
    ----------
    named : str or object

    Returns
    -------
    str

    Examples
    --------
    >>> plain_name("<Neurons of <Ensemble 'a'>>")
    'a.neurons'
    >>> plain_name("<Node (unlabeled) at 0x7f896e47ac10>")
    'Node'
    >>> plain_name("<Connection from <Ensemble 'a'> to <Ensemble 'b'>>")
    'a to b'
    """
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", str(named))
    text = re.sub(r"<(\w+) \(unlabeled\)>", r"\1", text)
    text = re.sub(r"<\w+ (['\"])([^<>]*)\1>", r"\2", text)
    text = re.sub(r"<Neurons of ([^<>]*)>", r"\1.neurons", text)
    text = re.sub(r"Probe of '\w+' of ", "Probe of ", re.sub(r"[<>]", "", text))
    return re.sub(r"^Connection from (.*) to (.*)$", r"\1 to \2", text)


def unique_names(names, taken=()):
    """
    Tell equal names apart: the second of a name gets ``#2``.

    Examples
    --------
    >>> unique_names(["a", "b", "a"])
    ['a', 'b', 'a #2']
    """
    taken, unique = set(taken), []
    for name in names:
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} #{number}"
        taken.add(free)
        unique.append(free)
    return unique
