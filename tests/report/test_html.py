import html.parser
import os
import re

import pytest

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report import write_html

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert('x')</script>&\"$^{\\frac{\x00"


class Page(html.parser.HTMLParser):
    """Read a page; note its elements, attributes, words and unclosed tags."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(report, tmp_path):
    text = write_html(report, tmp_path / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def full_page(make_full, tmp_path_factory):
    """The page of a report with every optional part, drawn once."""
    return page_of(make_full(), tmp_path_factory.mktemp("full"))


@pytest.fixture
def minimal_page(minimal, tmp_path):
    return page_of(minimal, tmp_path)


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_html_closes_every_element(kind, request):
    text, page = request.getfixturevalue(f"{kind}_page")
    assert text.startswith("<!DOCTYPE html>\n")
    assert page.open == []
    assert page.tags.count("main") == 1


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_html_needs_nothing_else(kind, request):
    text, page = request.getfixturevalue(f"{kind}_page")
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("href", "xlink:href", "src", "srcset", "action", "data"):
            assert value.startswith("#")
    without_names = re.sub(r'xmlns(:xlink)?="[^"]*"|http-equiv', "", text)
    assert "http" not in without_names
    assert "@import" not in text
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", text))
    # And the browser is told to let nothing through, scripts included.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert ("content", policy) in page.attributes


def test_html_keeps_the_ids_of_its_pictures_apart(full_page):
    _, page = full_page
    ids = [value for name, value in page.attributes if name == "id"]
    assert ids
    assert len(ids) == len(set(ids))


def test_html_draws_what_there_is_data_for(minimal_page, full_page):
    _, page = minimal_page
    assert page.tags.count("svg") == 2 * 2
    assert "Answers" not in page.text
    assert "Core by core" not in page.text
    _, page = full_page
    # Six pictures, each wide and narrow, and three histograms.
    assert page.tags.count("svg") == 2 * 6 + 3
    assert "lmu.hidden: first 64 of 100 neurons" in page.text
    assert "Answers, digit by digit" in page.text


def test_html_shows_the_headline_figures(full_page):
    _, page = full_page
    works = "97.22 % right on the chip, of 360 test samples; as rates 98.33 %"
    assert f"Does it work? {works}" in page.text
    fits = "3 cores of 1 chip; nearest to its limit: synapse bits, 95.7 %"
    assert f"Does it fit? {fits}" in page.text
    assert "What does it cost? 22.6 uJ 21 to 33 uJ an inference" in page.text
    speed = "12 us a time step; 792 us an inference, bound by synaptic op"
    assert f"How fast? {speed}" in page.text
    where = "2 on chip and 1 on the host; run by emulator"
    assert f"What runs where? {where}" in page.text


def test_html_answers_in_order(full_page):
    text, _ = full_page
    found = re.findall(r'<h2 id="(\w+)">', text)
    assert found == ["works", "fits", "costs", "speed", "where", "origin", "words"]


def test_html_says_what_a_total_rests_on_before_it(minimal, tmp_path):
    energy = minimal["energy"]
    energy["terms"].pop()
    energy.update(total_j=2.26e-5, low_j=2.1e-5, high_j=3.3e-5, unpriced=[])
    energy["accountings"] = {"chip": {**energy, "total_j": 4e-6}}
    energy["excludes"] = ["barrier"]
    _, page = page_of(minimal, tmp_path)
    said = (
        "Energy rests on prices that are simulated; counted without a price: nothing; "
        "in no total: barrier."
    )
    assert page.text.index(said) < page.text.index("22.6 uJ")
    said = (
        "prices simulated synaptic op, neuron update active counted, without a price "
        "nothing not in any total barrier simulated by the maker, before silicon"
    )
    assert page.text.index(said) < page.text.index("total 22.6 uJ 21 to 33 uJ")
    assert "the chip alone, idle power and all 4 uJ 21 to 33 uJ" in page.text


def test_html_withholds_a_total_and_says_why(minimal_page):
    _, page = minimal_page
    assert "What does it cost? withheld without one: host message" in page.text
    assert "counted, without a price host message" in page.text
    assert "total withheld: host_message has no price" in page.text


def test_html_gives_what_is_known_of_what_is_withheld(minimal, tmp_path):
    bounds = {"priced_j": 3e-6, "priced_low_j": 2e-6, "priced_high_j": 4e-6}
    minimal["energy"].update(bounds)
    minimal["latency"] = {**dict.fromkeys(minimal["latency"]), "compute_s": 7e-6}
    _, page = page_of(minimal, tmp_path)
    cost = "withheld what has a price comes to 3 uJ; without one: host message"
    assert f"What does it cost? {cost}" in page.text
    assert "what has a price 3 uJ 2 to 4 uJ total withheld" in page.text
    speed = "a time step computes for 7 us; what else it takes is not published"
    assert f"How fast? not known {speed}" in page.text


def test_html_says_that_it_was_emulated(full_page):
    _, page = full_page
    # In the title, below it, in each of the seven sections, and on every printed page.
    assert page.text.count("emulated, not measured") == 2 + 7 + 1


def test_html_has_the_stamp_of_a_measured_run(minimal, tmp_path):
    minimal["stamp"] = "measured on nxsdk"
    _, page = page_of(minimal, tmp_path)
    assert page.text.count("measured on nxsdk") == 10
    assert "emulated" not in page.text.replace("run by emulator", "")


def test_html_shows_each_core_and_what_it_uses(full_page):
    text, page = full_page
    cores = re.findall(r'<input type="radio" name="core".*?>', text)
    assert len(cores) == 2
    # Tile 1 is beside tile 0, and core 6 the third of its tile; it is the fullest.
    assert "grid-area: 2 / 3" in cores[0] and 'class="core l5"' in cores[0]
    assert cores[0].endswith(" checked>")
    # Tile 8 is the first of the second row, and core 33 its second.
    assert "grid-area: 3 / 2" in cores[1] and 'class="core l2"' in cores[1]
    card = (
        "chip 0, core 6 at 95.7 % of its nearest limit compartments 512 of 1,024 "
        "input axons 1,024 of 4,096 output axons 512, no limit synapse bits 1,003,487 "
        "of 1,048,576 lmu.hidden: 500 neurons output: 12 neurons"
    )
    assert card in page.text
    assert "chip 1 1 of 128 cores in use; the fullest at 25.0 %" in page.text
    row = (
        "1 33 256 of 1,024 64 of 4,096 0, no limit 131,072 of 1,048,576 25.0 % "
        "lmu.hidden: 256"
    )
    assert row in page.text


def test_html_names_a_core_by_its_card(full_page):
    _, page = full_page
    ids = {value for name, value in page.attributes if name == "id"}
    named = [value for name, value in page.attributes if name == "aria-labelledby"]
    assert {"core-0-6", "core-1-33"} <= set(named) <= ids


def test_html_tells_what_runs_where(full_page):
    _, page = full_page
    assert "lmu.hidden 756 chip, 2 cores of 2 chips" in page.text
    assert "output 12 chip, 1 core" in page.text
    assert "lmu.state 32 host a linear node" in page.text


def test_html_says_how_far_integers_go(full_page, minimal_page):
    (_, full), (_, minimal) = full_page, minimal_page
    words = "How far integers go on the"
    assert f"{words} calibration data" in full.text
    assert "lmu.hidden 31 0.1 % 50.1 % 0.0 % 0.25 of 1 " in full.text
    assert f"{words} test data" in full.text
    assert words not in minimal.text


def test_html_draws_what_populations_send(full_page):
    text, _ = full_page
    words = "How often which count is sent in a step: input"
    label = f'aria-label="{words}, from -1 to 2, most often 0 (70.0 %)"'
    assert label in text


def test_html_leaves_out_histograms_beyond_twelve(minimal, tmp_path):
    minimal["sent"] = {f"p{i}": {"0": 3, "1": 1} for i in range(14)}
    text, page = page_of(minimal, tmp_path)
    assert text.count("How often which count is sent in a step: ") == 12
    assert "2 more populations: in the report as JSON." in page.text


def test_html_shows_where_the_figures_come_from(full, tmp_path):
    full["graph_sha256"] = "cd" * 32
    _, page = page_of(full, tmp_path)
    assert "ab" * 32 in page.text
    assert "cd" * 32 in page.text
    assert "nengo 4.1.0" in page.text
    assert "seed of training 1" in page.text


def test_html_says_what_its_words_mean(minimal_page, full_page):
    for _, page in (minimal_page, full_page):
        assert "synaptic operation One spike delivered through one stored" in page.text
    # What only a waterfall has is explained beside one only.
    assert "reset to zero After a spike" in full_page[1].text
    assert "reset to zero" not in minimal_page[1].text


def test_html_escapes_hostile_labels(full, tmp_path):
    full["recipe"] = full["target"] = HOSTILE
    full["activity"][HOSTILE] = full["activity"]["input"]
    full["raster"][HOSTILE] = full["raster"]["input"]
    full["energy"]["terms"][0]["name"] = HOSTILE
    full["energy"]["terms"][0]["evidence"] = HOSTILE
    full["compare"][0]["target"] = HOSTILE
    full["host"][0]["reason"] = full["stamp"] = HOSTILE
    full["on_chip"][0]["name"] = HOSTILE
    full["cores"][0]["populations"][HOSTILE] = 1
    full["cores"][1]["limits"][HOSTILE] = [1, 2]
    full["sent"][HOSTILE] = {"0": 1, "1": 1}
    full["versions"][HOSTILE] = HOSTILE
    full["seeds"] = [HOSTILE]
    text, page = page_of(full, tmp_path)
    assert "<script" not in text
    assert "\x00" not in text
    assert page.open == []
    assert HOSTILE.replace("\x00", "\ufffd") in page.text


def test_html_is_the_same_text_for_the_same_report(full_page, full, tmp_path):
    again, _ = page_of(full, tmp_path)
    assert again == full_page[0]


def test_html_draws_nothing_in_a_colour_of_its_own(full_page):
    text, _ = full_page
    pictures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert "var(--series-1)" in pictures
    assert re.findall(r"#[0-9a-f]{6}\b(?=[;\"])", pictures) == []


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0]},
        {"loss": [2.0, 1.0], "omega.input": [8, 4], "omega.lmu.hidden": [4, 2]},
        {"epoch": [1, 2], "accuracy": [0.5, None], "omega": [4, 2]},
        {},
    ],
)
def test_html_draws_an_incomplete_history(minimal, tmp_path, history):
    minimal["history"] = history
    _, page = page_of(minimal, tmp_path)
    assert page.tags.count("svg") == 2 * (2 + bool(history))


def test_html_without_terms_comparison_or_populations(minimal, tmp_path):
    minimal["energy"]["terms"], minimal["energy"]["unpriced"] = [], []
    minimal["compare"], minimal["activity"] = [], {}
    _, page = page_of(minimal, tmp_path)
    assert page.tags.count("svg") == 0
    assert "total withheld" in page.text


def test_html_compares_where_no_energy_is_known(minimal, tmp_path):
    for row in minimal["compare"]:
        row["energy_j"] = None
    _, page = page_of(minimal, tmp_path)
    assert "withheld, none published" in page.text


def test_write_html_leaves_nothing_behind_when_the_write_fails(
    minimal, tmp_path, monkeypatch
):
    def fail(source, destination):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    path = tmp_path / "report.html"
    words = (
        f"cannot write '{path}': Permission denied. "
        "Give a path in a folder that exists and can be written to."
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        write_html(minimal, path)
    assert list(tmp_path.iterdir()) == []


def test_page_has_the_waterfall_where_there_is_one(full_page, minimal_page):
    text, page = full_page
    assert 'aria-label="Bars: accuracy after each step, as in the table below"' in text
    assert "96.11 % (-2.22 \u00b1 1.10)" in page.text
    assert "drive for two spikes 14.21 %; drive lost at resets 25.00 %" in page.text
    assert "Where the accuracy goes" not in minimal_page[1].text


def test_html_draws_the_front_of_a_sweep(full_page, minimal_page):
    _, page = full_page
    assert "Accuracy against bits and operations" in page.text
    assert "direct 1:1 98.00 % 3.20 0.40 1,250,000 yes" in page.text
    assert "rates 97.00 % - - -" in page.text
    assert "bits and operations" not in minimal_page[1].text
