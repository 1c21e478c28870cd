"""The pages in Debian's chromium, from disk and offline: what html.parser cannot see."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the browser tests need axe")

from lab.report import build, single  # noqa: E402 - after importorskip
from tests.report.proven import write_proven  # noqa: E402
from tests.report.synthetic import write_many, write_run  # noqa: E402
from tests.report.test_hostile import PAGE as HOSTILE_PAGE  # noqa: E402
from tests.report.test_hostile import write_hostile_run  # noqa: E402
from tests.report.test_side_by_side import write_two_runs  # noqa: E402

CHROMIUM = Path(os.environ.get("IKELAB_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCENARIO = "scenarios/nat/both_sides/ours-to-strongswan/index.html"
LOSSES = "scenarios/faults/losses/ours-to-strongswan/index.html"
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as starter:
        found = starter.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("run"))
    build(run)
    return run


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_proven(tmp_path_factory.mktemp("proven") / "run")
    build(run)
    return run


class Visit:
    """An open page that remembers what it asked for and what it complained of."""

    def __init__(self, browser: playwright.Browser, path: Path, **options: object) -> None:
        self.context = browser.new_context(offline=True, **{"viewport": DESK, **options})
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def open_everything(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((box) => { box.open = true })")


@pytest.mark.parametrize("name", ["index.html", SCENARIO, LOSSES])
def test_a_page_asks_for_nothing_but_itself_and_complains_of_nothing(
    browser: playwright.Browser, run_dir: Path, name: str
) -> None:
    with Visit(browser, run_dir / name) as visit:
        visit.open_everything()
        assert visit.requests == [(run_dir / name).as_uri()]
        assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", SCENARIO, LOSSES])
def test_axe_finds_nothing(browser: playwright.Browser, run_dir: Path, name: str, scheme: str) -> None:
    with Visit(browser, run_dir / name, color_scheme=scheme) as visit:
        visit.open_everything()
        found = axe.Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["compared.html", "claims.html", "rfcs.html", "collisions.html", "timing.html"])
def test_the_comparison_and_the_claims_are_at_peace_too(
    browser: playwright.Browser, proven: Path, name: str, scheme: str
) -> None:
    with Visit(browser, proven / name, color_scheme=scheme) as visit:
        found = axe.Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()
        assert visit.requests == [(proven / name).as_uri()]
        assert visit.complaints == []
        visit.page.set_viewport_size(PHONE)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_runs_side_by_side_are_at_peace(browser: playwright.Browser, tmp_path: Path, scheme: str) -> None:
    page = write_two_runs(tmp_path)
    with Visit(browser, page, color_scheme=scheme) as visit:
        visit.open_everything()
        found = axe.Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()
        assert (visit.requests, visit.complaints) == ([page.as_uri()], [])
        visit.page.set_viewport_size(PHONE)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.fixture(scope="module")
def single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("single") / "run", only=("nat/both_sides",))
    build(run)
    single.write(run, run.parent / "run.html")
    return run.parent / "run.html"


@pytest.mark.parametrize("scripts", [True, False])
def test_one_file_shows_one_part_at_a_time(browser: playwright.Browser, single_file: Path, scripts: bool) -> None:
    with Visit(browser, single_file, java_script_enabled=scripts) as visit:
        shown = visit.page.locator(".part:visible")
        assert shown.count() == 1 and shown.get_attribute("id") == "part-0"
        visit.page.locator(".part:visible table.results a").first.click()
        assert shown.count() == 1 and shown.get_attribute("id") != "part-0"
        visit.page.locator(".part:visible .brand a").first.click()
        assert shown.get_attribute("id") == "part-0"
        assert (visit.requests, visit.complaints) == ([single_file.as_uri()], [])


def test_axe_finds_nothing_in_one_file(browser: playwright.Browser, single_file: Path) -> None:
    with Visit(browser, single_file) as visit:
        assert (found := axe.Axe().run(visit.page)).violations_count == 0, found.generate_report()
        visit.page.locator(".part:visible table.results a").first.click()
        visit.open_everything()
        assert (found := axe.Axe().run(visit.page)).violations_count == 0, found.generate_report()


def test_both_schemes_are_drawn_and_differ(browser: playwright.Browser, run_dir: Path, tmp_path: Path) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        with Visit(browser, run_dir / SCENARIO, color_scheme=scheme) as visit:
            assert visit.page.screenshot(path=str(tmp_path / f"{scheme}.png"), full_page=True)
            colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
            shades[scheme] = sum(int(part) for part in re.findall(r"\d+", colour)[:3])
    assert shades["light"] > 600 and shades["dark"] < 150


@pytest.mark.parametrize("name", ["index.html", SCENARIO, LOSSES])
@pytest.mark.parametrize("opened", [False, True])
def test_a_phone_need_not_scroll_sideways(browser: playwright.Browser, run_dir: Path, name: str, opened: bool) -> None:
    with Visit(browser, run_dir / name, viewport=PHONE) as visit:
        if opened:
            visit.open_everything()
        assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_the_index_reads_without_scripts(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / "index.html", java_script_enabled=False) as visit:
        assert visit.page.locator("li[data-v]:visible").count() == 19
        assert not visit.page.locator(".filters").is_visible()
        assert not visit.page.locator("button:visible").count()
        visit.page.locator(".matrix td a").first.click()
        assert visit.page.url.endswith("#g-faults")


def test_a_message_opens_without_scripts(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / SCENARIO, java_script_enabled=False) as visit:
        third = visit.page.locator(".rung-box").nth(2)
        assert not third.locator(".opened").is_visible()
        third.locator("summary.rung").click()
        assert third.locator(".opened").is_visible()
        assert third.get_by_text("After decryption, 233 octets").is_visible()


def test_filters_live_in_the_address(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / "index.html") as visit:
        page = visit.page
        page.get_by_role("link", name=re.compile("^1 failed$")).click()
        assert page.url.endswith("#verdict=failed")
        assert page.locator("li[data-v]:visible").count() == 1
        assert page.locator("#shown").inner_text() == "1 of 19 results"
        page.get_by_role("button", name="Show all").click()
        page.get_by_label("Search").fill("rfc9370 mlkem")
        assert page.locator("li[data-v]:visible").count() == 2
        page.locator("#pairing").select_option("strongswan \u2192 ours")
        assert page.locator("li[data-v]:visible").count() == 1
        address = page.url
        page.get_by_label("Search").fill("no such thing")
        assert page.locator("#nothing").is_visible()
        page.goto("about:blank")
        page.goto(address)
        assert page.locator("li[data-v]:visible").count() == 1
        assert page.get_by_label("Search").input_value() == "rfc9370 mlkem"
        page.get_by_role("link", name="2 passed").first.click()
        assert page.locator("li[data-v]:visible").count() == 2
        assert visit.complaints == []


def test_everything_can_be_reached_with_the_keyboard(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / SCENARIO) as visit:
        page = visit.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('summary.rung')"):
                break
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.locator(".rung-box").nth(1).locator(".opened").is_visible()
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement === document.querySelector('summary.rung')")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


def test_a_field_lights_up_its_octets(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / SCENARIO) as visit:
        page = visit.page
        page.locator("summary.rung").nth(2).click()
        box = page.locator(".rung-box").nth(2)
        box.locator(".tree summary", has_text="IDr").hover()
        lit = "[...CSS.highlights.get('field')].map((range) => range.toString()).join('|')"
        digits, shown = page.evaluate(lit).split("|")[:2]
        assert digits.startswith("29 00 00 15") and shown.startswith(")...")
        box.locator(".tree summary", has_text="IKE header").hover()
        assert page.evaluate(lit).count("|") == 3


def test_the_command_is_copied(browser: playwright.Browser, run_dir: Path) -> None:
    with Visit(browser, run_dir / SCENARIO, permissions=["clipboard-read", "clipboard-write"]) as visit:
        button = visit.page.get_by_role("button", name="Copy")
        button.click()
        playwright.expect(visit.page.get_by_role("button", name="Copied")).to_be_visible()
        assert visit.page.evaluate("navigator.clipboard.readText()").startswith("ikelab run nat/both_sides")


def test_hostile_strings_do_nothing(browser: playwright.Browser, tmp_path: Path) -> None:
    run = write_hostile_run(tmp_path)
    for name in ("index.html", f"{HOSTILE_PAGE}/index.html"):
        with Visit(browser, run / name) as visit:
            visit.open_everything()
            assert visit.page.title() != "pwned"
            assert visit.requests == [(run / name).as_uri()]
            assert visit.complaints == []
            assert visit.page.evaluate("document.documentElement.scrollWidth") == DESK["width"]


def test_two_thousand_results_are_filtered(browser: playwright.Browser, tmp_path: Path) -> None:
    with Visit(browser, build(write_many(tmp_path, 2000))) as visit:
        visit.page.get_by_label("Search").fill("length_7 failed")
        visible = visit.page.evaluate("document.querySelectorAll('li[data-v]:not([hidden])').length")
        assert visit.page.locator("#shown").inner_text() == f"{visible} of 2000 results"
        assert 0 < visible < 2000
