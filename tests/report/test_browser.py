"""
The page in a real browser, without a network.

Skipped where there is no Chromium. The report is that of ``nengo-hybrid demo``, kept in
``digits.json``; the pictures in the documentation are made by

    pytest tests/report/test_browser.py --screenshots docs/_static
"""

import copy
import json
import shutil
from pathlib import Path

import pytest

from nengo_hybrid.report import write_html

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BREAK = "\N{NO-BREAK SPACE}"
PHONE, SCREEN = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
MOST_BYTES = 2_000_000
SCRIPT = "<script>document.title = 'it ran'; alert(1)</script>"
IMAGE = "<img src=x onerror=\"document.title = 'it ran'\">"
LONG = "hidden/" + 293 * "y"

# Of every text in a picture that is shown: the words, and how it stands out from what
# is behind it, by the formula of WCAG 2.
CONTRASTS = """() => {
  const light = colour => {
    const part = value => value <= 0.04045 ? value / 12.92
                                           : ((value + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.match(/[\\d.]+/g).map(n => part(n / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : colour;
  };
  return [...document.querySelectorAll('svg text')]
    .filter(text => text.getClientRects().length && text.getBoundingClientRect().width)
    .map(text => {
      const both = [light(getComputedStyle(text).fill), light(behind(text))].sort();
      return [text.textContent, (both[1] + 0.05) / (both[0] + 0.05)];
    });
}"""
OVERFLOW = "() => document.documentElement.scrollWidth - window.innerWidth"
PAGE_COLOUR = "() => getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser():
    found = [path for path in map(shutil.which, BROWSERS) if path]
    if not found:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        # Chromium's sandbox does not work for root.
        browser = driver.chromium.launch(
            executable_path=found[0], args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page offline; it may ask for nothing, and complain of nothing."""
    contexts, asked, said = [], [], []

    def visit(path, viewport=SCREEN, **options):
        context = browser.new_context(viewport=viewport, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
        page.goto(path.as_uri())
        assert asked.pop() == path.as_uri()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert (asked, said) == ([], [])


def digits_report():
    return json.loads(Path(__file__).with_name("digits.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The page of the demo."""
    return write_html(digits_report(), tmp_path_factory.mktemp("digits") / "page.html")


@pytest.fixture(scope="module")
def full(make_full, tmp_path_factory):
    """A page with every optional part."""
    return write_html(make_full(), tmp_path_factory.mktemp("full") / "page.html")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A page of 1,000 cores on 8 chips, of 40 populations, each over 25 cores."""
    report = digits_report()
    example = report["cores"][0]
    names = [f"column[{i // 8}].layer[{i % 8}].neurons" for i in range(40)]
    report["cores"] = [
        {
            **copy.deepcopy(example),
            "chip": i // 125,
            "core": i % 125,
            "load": (i % 101) / 100,
            "populations": {names[i // 25]: 1000 + i},
        }
        for i in range(1000)
    ]
    report["on_chip"] = [
        {"name": name, "n_neurons": 25_000, "n_cores": 25, "n_chips": 1}
        for name in names
    ]
    report["activity"] = dict.fromkeys(names, report["activity"]["output"])
    sent = {str(count): abs(count) + 1 for count in range(-1023, 1024)}
    report["sent"] = dict.fromkeys(names, sent)
    marks = {
        "times": sorted(4 * list(range(3136))),
        "neurons": 3136 * [0, 7, 21, 63],
        "n_neurons": 25_000,
    }
    report["raster"] = dict.fromkeys(names[:4], marks)
    return write_html(report, tmp_path_factory.mktemp("large") / "page.html")


@pytest.fixture(scope="module")
def hostile(make_full, tmp_path_factory):
    """A page whose names are markup, or of 300 letters."""
    report = make_full()
    report["recipe"], report["target"] = LONG, SCRIPT
    for name in (SCRIPT, IMAGE, LONG):
        report["activity"][name] = report["activity"]["input"]
        report["raster"][name] = report["raster"]["input"]
        report["sent"][name] = report["sent"]["input"]
        report["on_chip"].append({**report["on_chip"][1], "name": name})
        report["host"].append({**report["host"][0], "name": name, "reason": name})
        report["cores"][0]["populations"][name] = 1
        report["energy"]["terms"].append({**report["energy"]["terms"][0], "name": name})
        report["compare"].append({**report["compare"][0], "target": name})
        report["sweep"].append({**report["sweep"][0], "name": name})
        report["versions"][name] = name
    return write_html(report, tmp_path_factory.mktemp("hostile") / "page.html")


@pytest.fixture(params=["digits", "full", "large", "hostile"])
def path(request):
    return request.getfixturevalue(request.param)


def unfold(page):
    """Open all that is folded away."""
    page.evaluate(
        "document.querySelectorAll('details').forEach(d => { d.open = true })"
    )


def test_a_page_asks_for_nothing_is_small_and_fits(visit, path):
    page = visit(path)
    for folded in (True, False):
        for viewport in (PHONE, SCREEN):
            page.set_viewport_size(viewport)
            assert page.evaluate(OVERFLOW) <= 0
        if folded:
            unfold(page)
    page.wait_for_load_state("networkidle")
    assert page.locator("main h2").count() == 7
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    "viewport, scheme",
    [(PHONE, "dark"), (SCREEN, "light")],
    ids=["phone", "screen"],
)
def test_no_rule_of_accessibility_is_broken(visit, full, viewport, scheme):
    page = visit(full, viewport, color_scheme=scheme)
    unfold(page)
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    # A rule that found nothing to look at would pass, too.
    passed = {rule["id"] for rule in results.response["passes"]}
    assert {"color-contrast", "heading-order", "region", "svg-img-alt"} <= passed


def test_letters_in_pictures_stand_out_in_both_schemes(visit, full):
    page, seen = visit(full), []
    unfold(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for viewport in (PHONE, SCREEN):
            page.set_viewport_size(viewport)
            found = page.evaluate(CONTRASTS)
            assert len(found) > 50
            assert [row for row in found if row[1] < 4.5] == []
        seen.append(page.evaluate(PAGE_COLOUR))
    assert seen == ["rgb(245, 245, 241)", "rgb(16, 18, 22)"]


def test_the_first_screen_answers_the_five_questions(visit, digits):
    page = visit(digits)
    strip = page.get_by_role("navigation")
    box = strip.bounding_box()
    assert box["y"] + box["height"] <= SCREEN["height"]
    links = strip.get_by_role("link")
    said = [words.replace(NO_BREAK, " ") for words in links.all_inner_texts()]
    assert [words.splitlines()[:2] for words in said] == [
        ["Does it work?", "94.72 %"],
        ["Does it fit?", "2 cores"],
        ["What does it cost?", "3.33 mJ"],
        ["How fast?", "26 us"],
        ["What runs where?", "2 on chip"],
    ]
    for link in links.all():
        link.click()
        target = page.locator(link.get_attribute("href"))
        assert target.text_content() in link.text_content()


def test_pointing_at_a_core_shows_its_limits(visit, digits):
    page = visit(digits)
    cards = page.locator(".card")
    fullest, other = cards.nth(0), cards.nth(1)
    assert (fullest.is_visible(), other.is_visible()) == (True, False)
    page.locator("input.core").nth(1).hover()
    assert (fullest.is_visible(), other.is_visible()) == (False, True)
    assert "synapse bits 24,576 of 1,048,576" in other.inner_text().replace("\n", " ")
    assert "output: 10 neurons" in other.inner_text()


def test_keys_alone_reach_every_core(visit, large):
    page = visit(large)
    cores = page.get_by_role("radio")
    assert cores.count() == 1000
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the report"
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    # One stop for all cores, at the fullest; arrow keys go on from there.
    while not page.evaluate("document.activeElement.matches('input')"):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches(':checked')")
    page.keyboard.press("ArrowRight")
    focused = page.locator(":focus")
    outline = focused.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"
    shown = page.locator(".card:visible")
    assert shown.count() == 1
    assert "chip 0, core 101" in shown.inner_text()
    # The card is also the core's name, which a screen reader speaks.
    spoken = page.get_by_role("radio", checked=True, name="chip 0, core 101 at 0.0")
    assert spoken.count() == 1
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.matches('input')")


def test_the_table_has_what_the_cards_have(visit, large):
    page = visit(large)
    unfold(page)
    rows = page.locator(".cores-table tbody tr")
    assert rows.count() == 1000
    last = page.locator(".card").nth(999).text_content()
    cells = rows.nth(999).get_by_role("cell").all_text_contents()
    assert cells[:2] == ["7", "124"] and "chip 7, core 124" in last
    assert cells[2] == "192 of 1,024" and cells[2] in last
    assert cells[-1] == "column[4].layer[7].neurons: 1,999"


def test_names_are_shown_and_not_run(visit, hostile):
    page = visit(hostile)
    unfold(page)
    assert page.locator("script, img").count() == 0
    assert page.title().startswith(LONG)
    for name in (SCRIPT, IMAGE, LONG):
        assert page.get_by_role("rowheader", name=name, exact=True).count() >= 3
    # In pictures names are cut, and still text.
    drawn = page.locator("svg text:visible", has_text=SCRIPT[:20])
    assert drawn.count() > 0


def test_every_printed_page_has_the_stamp_and_nothing_is_folded(visit, digits):
    page = visit(digits, color_scheme="dark")
    running = page.locator(".running")
    table = page.get_by_text("drive for two spikes").first
    assert (running.is_visible(), table.is_visible()) == (False, False)
    page.emulate_media(media="print")
    assert running.is_visible()
    # What heads a table is printed on each page.
    style = running.evaluate("element => getComputedStyle(element).display")
    assert style == "table-header-group"
    assert "emulated, not measured" in running.inner_text()
    assert table.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == (
        "rgb(21, 24, 30)"
    )


@pytest.mark.parametrize("viewport", [PHONE, SCREEN], ids=["phone", "screen"])
def test_pictures_of_the_report(visit, digits, viewport, request, tmp_path):
    image = pytest.importorskip("PIL.Image")
    page = visit(digits, viewport)
    width = viewport["width"]
    # Up to the end of the chip map: what a reader sees first.
    fits = page.locator("section", has=page.locator("#fits")).bounding_box()
    height = int(fits["y"] + fits["height"]) + 16
    folder = Path(request.config.getoption("screenshots") or tmp_path)
    path = folder / f"report-{width}.png"
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=path, full_page=True, clip=clip)
    with image.open(path) as taken:
        assert taken.size == (width, height)
        colours = taken.convert("RGB").getcolors(2**24)
        small = taken.convert("RGB").quantize(128, dither=image.Dither.NONE)
    # The page, the bars, and what lost accuracy.
    assert len(colours) > 50
    small.save(path, optimize=True)
