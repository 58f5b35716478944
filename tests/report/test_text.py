import io

import pytest
from rich.console import Console

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report import render_text, render_waterfall


def rendered(report, width=100):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render_text(report))
    return console.file.getvalue()


def rows(text):
    """Split the lines of a table into their cells."""
    return [line.split("  ") for line in text.splitlines()]


def cells(text, first):
    """Return the cells of every row that starts with a word."""
    found = [[c.strip() for c in row if c.strip()] for row in rows(text)]
    return [row for row in found if row and row[0] == first]


def test_text_fits_in_100_columns(full):
    text = rendered(full)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\u2026" not in text


def test_text_keeps_names_of_profiles_whole_in_80_columns(full):
    full["compare"][0]["target"] = "kerasspiking-loihi"
    full["compare"][1]["target"] = "a name that is longer than that"
    text = rendered(full, width=80)
    assert " kerasspiking-loihi " in text
    assert " a name that is " in text and "a name that is longer than that" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("width", [72, 78, 80, 82, 100])
def test_text_keeps_words_of_evidence_whole(full, width):
    full["compare"] = [
        {
            "target": "loihi1-fitted",
            "energy_j": 3.45e-3,
            "low_j": 3.08e-3,
            "high_j": 3.66e-3,
            "basis": "spikes, all terms",
            "evidence": "fitted, quoted, derived, simulated, measured",
        },
        {
            "target": "kerasspiking-loihi",
            "energy_j": 3.71e-5,
            "basis": "spikes, operations alone",
            "evidence": "quoted",
        },
    ]
    text = rendered(full, width=width)
    table = text[text.index("The same inference") :]
    for word in ("fitted,", "quoted,", "derived,", "simulated,", "measured"):
        assert f" {word} " in table


def test_text_gives_the_accuracy_at_each_stage(full):
    text = rendered(full)
    assert "Accuracy on 360 test samples" in text
    assert cells(text, "trained, as rates")[0][1] == "98.33 %"
    assert cells(text, "hybrid, in floats")[0][1] == "97.50 %"
    assert cells(text, "deployed, in integers")[0][1] == "97.22 %"


def test_text_gives_the_accuracy_step_by_step(full):
    text = rendered(full)
    assert "Accuracy, step by step, on 360 test samples" in text
    assert cells(text, "as rates") == [["as rates", "98.33 %", "-", "-", "-"]]
    steps = [row for row in cells(text, "spikes of one bit") if "%" in row[1]]
    wanted = ["spikes of one bit", "96.11 %", "-2.22 +- 1.10", "12", "4"]
    assert steps == [wanted]


def test_text_gives_the_causes_of_a_step_by_population(full):
    text = rendered(full)
    first, second = text[text.index("What a step changes") :].splitlines()[4:6]
    assert [c.strip() for c in first.split("  ") if c.strip()] == [
        "spikes of one bit",
        "lmu.hidden",
        "0.0672",
        "drive for two spikes",
        "14.21 %",
    ]
    wanted = ["drive lost at resets", "25.00 %"]
    assert [c.strip() for c in second.split("  ") if c.strip()] == wanted


def test_the_waterfall_alone_fits_in_80_columns(full):
    steps = ("rates", "hybrid", "one_bit", "reset", "weights", "compartments")
    row, change = full["waterfall"]["rows"][1], full["waterfall"]["populations"][0]
    causes = dict.fromkeys(("wants_two_spikes", "threshold_error", "duplicate"), 0.25)
    waterfall = {
        "rows": [{**row, "step": step} for step in (*steps, "deployed")],
        "populations": [{**change, "step": s, "causes": causes} for s in steps],
    }
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(render_waterfall(waterfall))
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 80
    # No cell is folded: 7 steps and 18 causes, each in a line; 5 lines around each.
    assert len(text.splitlines()) == 7 + 18 + 2 * 5


def test_text_leaves_out_what_a_report_lacks(minimal):
    assert "step by step" not in rendered(minimal)


def test_text_says_how_far_integers_go(full):
    text = rendered(full)
    assert "How far integers go on the calibration data" in text
    assert ["input", "240", "94.1 %", "-", "0.0 %", "0.0123 of 1.5"] in cells(
        text, "input"
    )
    assert [row[1:] for row in cells(text, "lmu.hidden") if len(row) == 6] == [
        ["31", "0.1 %", "50.1 %", "0.0 %", "0.25 of 1"],
        ["40", "0.1 %", "62.0 %", "0.0 %", "-"],
    ]


def test_text_gives_the_activity_per_population(full):
    text = rendered(full)
    wanted = ["lmu.hidden", "1.00", "0.50", "0.75", "12"]
    assert wanted in cells(text, "lmu.hidden")


def test_text_gives_resources_and_the_worst_core(full):
    text = rendered(full)
    assert cells(text, "cores")[0][:4] == ["cores", "3", "input axons", "25.0 %"]
    assert cells(text, "synapse bits")[0] == ["synapse bits", "1,310,720"]


def test_text_names_what_is_on_the_chip(full, minimal):
    text = rendered(full)
    found = text[text.index("On the chip") : text.index("On the host")]
    assert cells(found, "lmu.hidden") == [["lmu.hidden", "756", "2", "2"]]
    assert cells(found, "output") == [["output", "12", "1", "1"]]
    assert "On the chip" not in rendered(minimal)


def test_text_says_what_a_total_rests_on_before_it(minimal):
    minimal["energy"]["excludes"] = ["barrier"]
    text = rendered(minimal)
    said = {
        "prices simulated": "synaptic op, neuron update active",
        "counted, without a price": "host message",
        "not in any total": "barrier",
    }
    for name, words in said.items():
        assert cells(text, name) == [[name, words]]
        assert text.index(name) < text.index("total withheld")


def test_text_gives_what_has_a_price_where_the_total_is_withheld(minimal):
    assert "what has a price" not in rendered(minimal)
    bounds = {"priced_j": 3e-6, "priced_low_j": 2e-6, "priced_high_j": 4e-6}
    minimal["energy"].update(bounds)
    wanted = ["what has a price", "3 uJ", "2 to 4 uJ"]
    assert cells(rendered(minimal), "what has a price") == [wanted]


def test_text_names_what_runs_on_the_host_and_why(full):
    (row,) = cells(rendered(full), "lmu.state")
    assert row == [
        "lmu.state",
        "32",
        "a linear node: its values are floats, not spikes",
    ]


def test_text_says_when_the_host_runs_nothing(minimal):
    assert "On the host" not in rendered(minimal)
    minimal["host"] = []
    assert "On the host: nothing but input and output\n" in rendered(minimal)


def test_text_withholds_a_total_and_says_why(minimal):
    text = rendered(minimal)
    assert "total withheld: host_message has no price\n" in text
    assert cells(text, "dynamic") == [["dynamic", "withheld"]]
    assert cells(text, "host message") == [
        ["host message", "64", "-", "no price", "-", "-"]
    ]


def test_text_gives_a_total_with_its_bounds(full):
    assert cells(rendered(full), "total") == [["total", "22.6 uJ", "21 to 33 uJ"]]


def test_text_gives_each_term_with_its_evidence(full):
    assert cells(rendered(full), "synaptic op") == [
        [
            "synaptic op",
            "123,456",
            "23.6 pJ",
            "2.91 uJ",
            "2.91 to 4.38 uJ",
            "simulated",
        ]
    ]


def test_text_gives_static_energy_as_a_power_and_its_time(minimal):
    term = {"name": "static_chip", "count": 0.00066, "price_j": 0.0297}
    minimal["energy"]["terms"].append({**term, "energy_j": 1.96e-5})
    assert cells(rendered(minimal), "static chip")[-1][1:4] == [
        "660 us",
        "29.7 mW",
        "19.6 uJ",
    ]


def test_text_says_that_it_was_emulated(full):
    text = rendered(full)
    assert "\nemulated, not measured\n" in text
    assert "Energy per inference (emulated, not measured)" in text


def test_text_says_what_bounds_the_latency(full):
    text = rendered(full)
    assert cells(text, "one inference")[0][1] == "792 us"
    assert cells(text, "bound by")[0][1] == "synaptic op"
    assert "low to high" not in text.partition("Activity")[0]


def test_text_says_what_the_latency_is_made_of(full):
    full["latency"].update(
        compute_s=1.1e-5,
        barrier_s=1e-6,
        host_injection_s=None,
        inference_low_s=5e-4,
        inference_high_s=1e-3,
        excludes=["host_computation"],
    )
    text = rendered(full)
    assert cells(text, "of it compute")[0][1] == "11 us"
    assert cells(text, "of it barrier")[0][1] == "1 us"
    assert cells(text, "of it host injection") == []
    assert cells(text, "low to high")[0][1] == "500 us to 1 ms"
    assert cells(text, "not in it")[0][1] == "host computation"


def test_text_compares_with_this_run_first(full):
    text = rendered(full)
    row = ["loihi1", "22.6 uJ", "21 to 33 uJ", "spikes, all terms", "this run"]
    assert cells(text, "loihi1") == [row]
    assert cells(text, "loihi2") == [["loihi2", "withheld", "-", "-", "none published"]]
    assert text.index("loihi1  ") < text.index("cpu_i7_4960x")


def test_text_compares_with_the_rows_there_are(full):
    own = {"target": "loihi1", "energy_j": 2e-5, "evidence": "measured"}
    full["compare"].append(own)
    row = ["loihi1", "20 uJ", "-", "-", "measured"]
    assert cells(rendered(full), "loihi1") == [row]
    full["compare"] = []
    assert "elsewhere" not in rendered(full)


def test_text_takes_labels_as_they_are(full):
    full["recipe"] = "[red]digits[/red]\x1b[2J"
    full["activity"]["[bold]x"] = full["activity"].pop("input")
    text = rendered(full)
    assert "[red]digits[/red]\ufffd[2J on loihi1" in text
    assert "[bold]x" in text


def test_text_rejects_a_report_without_a_key(full):
    del full["stamp"]
    with pytest.raises(BundleError, match="^report lacks the key 'stamp';"):
        render_text(full)


def test_text_gives_the_front_of_a_sweep(full):
    text = rendered(full)
    assert cells(text, "direct 1:1") == [
        ["direct 1:1", "98.00 %", "3.20", "0.40", "1,250,000", "*"]
    ]
    assert cells(text, "rates") == [["rates", "97.00 %", "-", "-", "-"]]


def test_text_has_no_sweep_where_there_is_none(minimal):
    assert "bits and operations" not in rendered(minimal)
