"""
Hold the estimator against published measurements, and measure how it grows.

    python benchmarks/estimate.py [--json FILE] [--quick]

Every case of validation_cases.json is recomputed from its description. Exits with 1 if
a ratio is not within what it is held to. ``--quick`` leaves out the largest networks.
"""

import argparse
import json
import sys

from estimate_cases import validate
from estimate_growth import grow
from measure import environment

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = SIZES[:2]


def report(words):
    """Say on standard error what is being done."""
    print(words, file=sys.stderr, flush=True)


def show_cases(cases):
    """Print the rows of all cases as tables."""
    for name, case in cases.items():
        print(f"\n{name} ({case['source']})\n  assumed: {case['assumed']}")
        print(
            f"  {'':58}{'predicted':>10}{'low':>9}{'high':>9}"
            f"{'measured':>10}{'ratio':>9}  held to"
        )
        for row in case["rows"]:
            print(f"  {shown(row)}")


def shown(row):
    """Write a row in one line."""
    numbers = [row["predicted"], row["low"], row["high"], row["measured"]]
    widths = (10, 9, 9, 10)
    cells = [
        f"{'-' if x is None else f'{x:.4g}':>{w}}"
        for x, w in zip(numbers, widths, strict=True)
    ]
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}"
    held = ""
    if row["needs"]:
        low, high = row["needs"]
        held = f"{low:g} to {high:g}: {'holds' if row['holds'] else 'FAILS'}"
    words = f"{row['quantity']} [{row['unit']}]"
    line = f"{words:58}{''.join(cells)}{ratio:>9}  {held}"
    return f"{line}{'  ' if held else ''}{row['note']}".rstrip()


def show_growth(rows):
    """Print how the estimator grows."""
    print(
        f"\nestimate() from rates\n{'neurons':>10}{'synapses':>13}{'routes':>8}"
        f"{'cores':>7}{'place s':>9}{'estimate s':>11}{'detail s':>10}{'peak MB':>9}"
        "  total"
    )
    for row in rows:
        total = row["total_j"]
        words = f"withheld: {', '.join(row['unpriced'])}"
        print(
            f"{row['n_neurons']:10,}{row['n_synapses']:13,}{row['n_routes']:8,}"
            f"{row['n_cores']:7,}{row['build_s']:9.3f}{row['estimate_s']:11.3f}"
            f"{row['detail_s']:10.3f}{row['peak_mb']:9.0f}"
            f"  {words if total is None else f'{total:.3g} J'}"
        )


def main():
    """Print the figures, and with --json write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="no large networks")
    arguments = parser.parse_args()
    growth = grow(QUICK_SIZES if arguments.quick else SIZES, report)
    cases = validate()
    show_cases(cases)
    show_growth(growth)
    if arguments.json:
        figures = {"environment": environment(), "cases": cases, "growth": growth}
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
    failed = [row for c in cases.values() for row in c["rows"] if row["holds"] is False]
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
