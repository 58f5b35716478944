"""How numbers and names are written in a report."""

import math

from nengo_hybrid.targets import EVIDENCE

PREFIXES = {
    -5: "f",
    -4: "p",
    -3: "n",
    -2: "u",
    -1: "m",
    0: "",
    1: "k",
    2: "M",
    3: "G",
    4: "T",
}
UNKNOWN = "-"
# Steps of a deployment, and what they do to a population.
STEPS = {
    "rates": "as rates",
    "hybrid": "hybrid, in floats",
    "one_bit": "spikes of one bit",
    "reset": "reset to zero",
    "weights": "weights rounded",
    "compartments": "compartments rounded",
    "deployed": "deployed, in integers",
}
CAUSES = {
    "wants_two_spikes": "drive for two spikes",
    "thrown_away": "drive lost at resets",
    "weight_error": "error of weights",
    "weights_to_zero": "weights became 0",
    "threshold_error": "error of thresholds",
    "bias_error": "error of biases",
    "silent": "silent neurons",
    "duplicate": "spike as another",
}
# On which data integers went so far.
RANGES = {
    "calibration_ranges": "on the calibration data",
    "test_ranges": "on the test data",
}


def with_prefix(value, unit, *, unknown=UNKNOWN):
    """
    Write a quantity to three digits with an SI prefix.

    Parameters
    ----------
    value : float or None
        In the unit itself.
    unit : str
        Such as ``"J"`` or ``"s"``.
    unknown : str
        What to write for None.

    Examples
    --------
    >>> with_prefix(3.2e-6, "J")
    '3.2 uJ'
    >>> with_prefix(0.00099999, "s")
    '1 ms'
    """
    if value is None:
        return unknown
    if value == 0:
        return f"0 {unit}"
    rounded = float(f"{value:.3g}")
    # log10 of a float just below a power of ten can round up to it.
    power = math.floor(math.log10(abs(rounded)) / 3 + 1e-12)
    power = min(max(power, min(PREFIXES)), max(PREFIXES))
    return f"{rounded / 1000.0**power:.3g} {PREFIXES[power]}{unit}"


def interval(low, high, unit):
    """
    Write the bounds of a quantity.

    Examples
    --------
    >>> interval(2e-6, 4e-6, "J"), interval(9e-7, 4e-6, "J"), interval(2, 2, "J")
    ('2 to 4 uJ', '900 nJ to 4 uJ', '2 J')
    """
    first, last = with_prefix(low, unit), with_prefix(high, unit)
    if first == last:
        return first
    number, _, prefixed = first.partition(" ")
    if prefixed and last.endswith(f" {prefixed}"):
        first = number
    return f"{first} to {last}"


def count(value):
    """
    Write a count in full, or the mean of a count to three digits or more.

    Examples
    --------
    >>> count(1310720), count(12.0), count(1310720.42), count(0.00671)
    ('1,310,720', '12', '1,310,720', '0.00671')
    """
    if value is None:
        return UNKNOWN
    rounded = float(f"{value:.3g}")
    if value == int(value) or abs(rounded) >= 1000:
        return f"{round(value):,}"
    return f"{rounded:g}"


def term_count(term):
    """
    Write how much there is of an energy term: a count, or the time that a power lasts.

    Examples
    --------
    >>> term_count({"name": "spikes", "count": 5084.2})
    '5,084'
    >>> term_count({"name": "static_chip", "count": 0.00671})
    '6.71 ms'
    """
    if _is_power(term):
        return with_prefix(term.get("count"), "s")
    return count(term.get("count"))


def term_price(term):
    """
    Write the price of an energy term: of one of what is counted, or a power.

    Examples
    --------
    >>> term_price({"name": "spikes", "price_j": 1.7e-12})
    '1.7 pJ'
    >>> term_price({"name": "static_chip", "price_j": 0.0297})
    '29.7 mW'
    """
    return with_prefix(term.get("price_j"), "W" if _is_power(term) else "J")


def _is_power(term):
    return term["name"].startswith("static_")


def bits(value):
    """Write a number of bits to two decimals."""
    return UNKNOWN if value is None else f"{value:.2f}"


def percent(value, digits=1):
    """
    Write a fraction as percent.

    Examples
    --------
    >>> percent(0.9722, 2)
    '97.22 %'
    """
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def points(row):
    """
    Write the change of accuracy in a step, with its standard error.

    Examples
    --------
    >>> points({"delta": -0.0222, "standard_error": 0.011})
    '-2.22 +- 1.10'
    """
    if row["delta"] is None:
        return UNKNOWN
    return f"{100 * row['delta']:+.2f} +- {100 * row['standard_error']:.2f}"


def step_name(step):
    """Write the name of a step of a deployment."""
    return STEPS.get(step, spoken(step))


def cause_name(cause):
    """Write the name of what a step does to a population."""
    return CAUSES.get(cause, spoken(cause))


def spoken(name):
    """Write a key as words: ``n_steps`` as ``steps``, ``spike_hops`` as two."""
    return printable(name).removeprefix("n_").replace("_", " ")


def printable(value):
    """Write any value as one line, with a mark for what no terminal prints."""
    text = UNKNOWN if value is None else str(value)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def total_energy(energy):
    """
    Write the energy of one inference, or why it is withheld.

    Examples
    --------
    >>> total_energy({"total_j": None, "unpriced": ["host_message"]})
    'withheld: host_message has no price'
    """
    if energy["total_j"] is not None:
        return with_prefix(energy["total_j"], "J")
    names = [printable(name) for name in energy["unpriced"]]
    if not names:
        return "withheld"
    verb = "has" if len(names) == 1 else "have"
    return f"withheld: {', '.join(names)} {verb} no price"


def priced_energy(energy):
    """
    Write the energy of what has a price, and its bounds.

    Examples
    --------
    >>> priced_energy({"priced_j": 3e-6, "priced_low_j": 2e-6, "priced_high_j": 4e-6})
    ('3 uJ', '2 to 4 uJ')
    """
    bounds = energy.get("priced_low_j"), energy.get("priced_high_j")
    return with_prefix(energy["priced_j"], "J"), interval(*bounds, "J")


def fullest_limit(worst_core):
    """
    Return the limit that a core comes nearest to, as (name, fraction); None without.

    Examples
    --------
    >>> fullest_limit({"compartments": 0.5, "synapse_bits": 0.75, "input_axons": None})
    ('synapse_bits', 0.75)
    """
    known = [item for item in worst_core.items() if item[1] is not None]
    return max(known, key=lambda item: item[1], default=None)


def used_of(pair):
    """
    Write what is used of a limit.

    Examples
    --------
    >>> used_of([192, 1024]), used_of([192, None])
    ('192 of 1,024', '192, no limit')
    """
    used, limit = pair
    return (
        f"{count(used)}, no limit" if limit is None else f"{count(used)} of {limit:,}"
    )


def part_of(pair):
    """
    Write what part is used of what there is.

    Examples
    --------
    >>> part_of([64, 255]), part_of(None)
    ('25.1 %', '-')
    """
    return percent(pair[0] / pair[1] if pair and pair[1] else None)


def wrong_by(pair):
    """
    Write how far integers are from floats, and how large these are.

    Examples
    --------
    >>> wrong_by([0.01234, 1.5]), wrong_by(None)
    ('0.0123 of 1.5', '-')
    """
    return UNKNOWN if pair is None else f"{pair[0]:.3g} of {pair[1]:.3g}"


def assumptions(energy):
    """
    Write what a total energy rests on, as (name, words).

    Examples
    --------
    >>> terms = [{"name": "synapses", "evidence": "fitted"}, {"name": "host_macs"}]
    >>> bill = {"terms": terms, "unpriced": [], "excludes": ["barrier"]}
    >>> print(*assumptions(bill), sep=chr(10))
    ('prices fitted', 'synapses')
    ('counted, without a price', 'nothing')
    ('not in any total', 'barrier')
    """
    by_evidence = {}
    for term in energy["terms"]:
        if term.get("evidence") is not None:
            words = f"prices {printable(term['evidence'])}"
            by_evidence.setdefault(words, []).append(term["name"])
    groups = {**by_evidence, "counted, without a price": energy["unpriced"]}
    if "excludes" in energy:
        groups["not in any total"] = energy["excludes"]
    return [(k, ", ".join(map(spoken, v)) or "nothing") for k, v in groups.items()]


def evidence_words(energy):
    """Return the words for evidence that the terms use, and what each means."""
    said = {word for term in energy["terms"] for word in _words_of(term)}
    return {w: text.partition(": ")[2] for w, text in EVIDENCE.items() if w in said}


def _words_of(term):
    return str(term.get("evidence")).split(", ")


def value_range(values):
    """
    Write which values were sent, and the most frequent.

    Examples
    --------
    >>> value_range({"-1": 1, "0": 7, "2": 2})
    'from -1 to 2, most often 0 (70.0 %)'
    """
    found = {int(value): n for value, n in values.items() if n}
    most = max(found, key=found.get)
    share = percent(found[most] / sum(found.values()))
    return f"from {min(found)} to {max(found)}, most often {most} ({share})"


def beside_this_run(report):
    """Return the rows to compare, with the report's own first if it lacks one."""
    rows = report["compare"]
    target, energy = report["target"], report["energy"]
    if not rows or any(row["target"] == target for row in rows):
        return rows
    own = {"target": target, "energy_j": energy["total_j"], "evidence": "this run"}
    own["basis"] = "spikes, all terms"
    return [{**own, "low_j": energy["low_j"], "high_j": energy["high_j"]}, *rows]


def latency_rows(latency):
    """
    Write what is known of the latency as (name, words), the inference's in full.

    Examples
    --------
    >>> latency_rows({"step_s": 2e-6, "inference_s": 1e-4, "bound_by": "barrier"})
    [('one step', '2 us'), ('one inference', '100 us'), ('bound by', 'barrier')]
    """
    rows = [("one step", with_prefix(latency["step_s"], "s"))]
    for key in ("compute_s", "barrier_s", "host_injection_s"):
        if latency.get(key) is not None:
            name = spoken(key.removesuffix("_s"))
            rows.append((f"  of it {name}", with_prefix(latency[key], "s")))
    rows.append(("one inference", with_prefix(latency["inference_s"], "s")))
    bounds = latency.get("inference_low_s"), latency.get("inference_high_s")
    if bounds != (None, None):
        rows.append(("  low to high", interval(*bounds, "s")))
    rows.append(("bound by", spoken(latency["bound_by"])))
    if latency.get("excludes"):
        rows.append(("not in it", ", ".join(map(spoken, latency["excludes"]))))
    return rows
