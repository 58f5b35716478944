"""Print the figures of `emulate.py` as they come."""


def show(name, found, before):
    """
    Print the figures of one name.

    Parameters
    ----------
    name : str
    found : dict
    before : dict of str to dict
        Of names that were printed already, whose headings need not come again.
    """
    kind, printers = _kind(found), {"open": _open, "closed": _closed}
    if kind in printers:
        heading = all(_kind(other) != kind for other in before.values())
        printers[kind](name, found, heading)
    else:
        print(f"\n{name}")
        {"scaling": _scaling, "build": _build}.get(name, _plain)(found)
    print(end="", flush=True)


def show_limits(results):
    """Print what memory allows beside what was reached, if both were measured."""
    rows = {name: f for name, f in results.items() if _kind(f) == "open"}
    if "bandwidth" not in results or not rows:
        return
    limits = results["bandwidth"]
    names = [name for name in limits if name.startswith("l2")]
    print("\nSynaptic operations, 10^9 a second, updates of compartments included")
    print(f"{'':18}{'batch 1':>10}{'many':>8}  share of what the L2 cache allows")
    for name, found in rows.items():
        steps, ops = found["seconds_per_step"], found["synaptic_ops_per_step"]
        rates = [ops / steps[which]["median"] for which in ("batch_1", "batch_many")]
        shares = [
            rate / limits[limit]["median"]
            for rate, limit in zip(rates, (names[0], names[-1]), strict=True)
        ]
        print(
            f"{name:18}{rates[0] / 1e9:10.3f}{rates[1] / 1e9:8.3f}  "
            f"{shares[0]:.1%}, {shares[1]:.1%}"
        )


def _kind(found):
    if "times_faster_batch_1" in found:
        return "open"
    return "closed" if "host_share_of_ours" in found else "other"


def _open(name, found, heading):
    if heading:
        print(
            "\nInputs known beforehand; times per step of one sample, then ratios\n"
            f"{'':18}{'neurons':>8}{'active':>8}{'spikes':>8}{'syn. ops':>10}"
            f"{'theirs ms':>10}{'batch 1 us':>11}{'many us':>9}"
            f"{'  batch 1':22}{'  many':22}{'build s':>8}{'read ms':>8}"
            f"{'Emulator ms':>12}"
        )
    step = {k: v["median"] for k, v in found["seconds_per_step"].items()}
    print(
        f"{name:18}{found['n_neurons']:8,}{found['activity']:8.1%}"
        f"{found['spikes_per_step']:8.0f}{found['synaptic_ops_per_step']:10,.0f}"
        f"{1e3 * step['theirs']:10.3f}{1e6 * step['batch_1']:11.2f}"
        f"{1e6 * step['batch_many']:9.2f}"
        f"  {_ratio(found['times_faster_batch_1']):20}"
        f"  {_ratio(found['times_faster_batch_many']):20}"
        f"{found['build_s']:8.2f}{1e3 * found['read_chip_s']:8.1f}"
        f"{1e3 * found['emulator_s']:12.1f}"
    )


def _closed(name, found, heading):
    if heading:
        print(
            "\nA Python node in the loop at every step; times per step, then ratios\n"
            f"{'':18}{'neurons':>8}{'theirs ms':>10}{'ours ms':>9}{'host ms':>9}"
            f"{'  ours':22}{'  at most':22}  host's share of ours"
        )
    step = {k: 1e3 * v["median"] for k, v in found["seconds_per_step"].items()}
    print(
        f"{name:18}{found['n_neurons']:8,}{step['theirs']:10.3f}{step['ours']:9.3f}"
        f"{step['host']:9.3f}  {_ratio(found['times_faster']):20}"
        f"  {_ratio(found['times_faster_at_most']):20}"
        f"  {found['host_share_of_ours']['median']:.0%}"
    )


def _scaling(found):
    print(
        f"{'neurons':>9}{'fan-out':>9}{'active':>8}{'syn. ops':>12}{'us a step':>11}"
        f"{'ns/compartment':>16}{'ns/syn. op':>12}"
    )
    for row in found["rows"]:
        print(
            f"{row['n_neurons']:9,}{row['fan_out']:9}{row['activity']:8.2%}"
            f"{row['synaptic_ops_per_step']:12,.0f}"
            f"{1e6 * row['seconds_per_step']['low']:11.1f}"
            f"{row['ns_per_compartment']:16.3f}{row['ns_per_synaptic_op']:12.3f}"
        )
    fits = {
        "all sizes": found["fit"],
        **{f"{n:,} neurons": fit for n, fit in found["fit_by_size"].items()},
        "all sizes and fan-outs": found["fit_with_spikes"],
    }
    for name, fit in fits.items():
        terms = [
            f"{value:.3g} ns a {event.removeprefix('ns_per_').replace('_', ' ')}"
            for event, value in fit.items()
            if event.startswith("ns_per_")
        ]
        print(
            f"fit, {name}: {' + '.join(terms)}; off by at most "
            f"{fit['largest_relative_error']:.0%}"
        )
    for pair in found["same_events"]:
        print(
            f"{pair['n_neurons']:,} neurons: "
            f"{pair['times_the_stored_synapses']:.2f} times the stored synapses, "
            f"{pair['times_the_operations']:.2f} times the operations, "
            f"{pair['times_the_time']:.2f} times the time"
        )


def _build(found):
    for name, taken in found["seconds"].items():
        share = found["share_of_defaults"].get(name)
        error = found["decoder_error"].get(name)
        more = (
            f"; {_ratio(share)} of the defaults' time"
            if share and name != "defaults"
            else ""
        )
        more += f"; decoders' error {error:.3g}" if error is not None else ""
        print(f"{name:14}{_ratio(taken)} s{more}")


def _plain(found):
    for name, value in found.items():
        print(
            f"{name:24}{value['median']:.3g} ({value['low']:.3g} - {value['high']:.3g})"
        )


def _ratio(found):
    return f"{found['median']:.3g} ({found['low']:.3g} - {found['high']:.3g})"
