"""The report in a real browser: nothing of its data runs, and all of it can be used."""

import json
from pathlib import Path

import pytest
from chromium import Browser
from pages import HOSTILE, N_LARGE
from selenium.common.exceptions import NoAlertPresentException, UnexpectedAlertPresentException
from selenium.webdriver.common.keys import Keys

FOUND = "return document.getElementById('found').textContent"
ROWS = "return document.querySelectorAll('#rows .open').length"


def choose(browser: Browser, name: str, value: str) -> str:
    """Choose an option by the select's own event; give what the table says then."""
    browser.run(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('change'))",
        name,
        value,
    )
    return str(browser.run(FOUND))


def open_everything(browser: Browser) -> None:
    """Unfold all that can be unfolded, so that all texts are in the page."""
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    browser.run("for (const each of document.querySelectorAll('#rows .open')) each.click()")


def test_nothing_of_the_data_runs(browser: Browser, hostile: Path) -> None:
    """No alert, no global, no handler, no request and no message, with everything unfolded."""
    browser.open(hostile)
    open_everything(browser)
    browser.search("alert")
    with pytest.raises(NoAlertPresentException):
        _ = browser.driver.switch_to.alert.text
    assert browser.run("return window.injected") is None
    made = (
        "return document.querySelectorAll("
        "'img, iframe, link, base, object, a[href^=javascript], [style], [onfocus]').length"
    )
    assert browser.run(made) == 0
    assert browser.run("return document.scripts.length") == 2
    assert browser.run("return getComputedStyle(document.querySelector('main')).display") == "block"
    heard = browser.hear()
    assert heard.requests == [hostile.as_uri()]
    assert heard.stopped == []
    assert heard.messages == []


def test_a_planted_script_would_be_seen(browser: Browser, hostile: Path, tmp_path: Path) -> None:
    """The checks above see an injection in a page without escapes and without a policy."""
    text = hostile.read_text(encoding="utf-8").replace("Content-Security-Policy", "x-none")
    planted = tmp_path / "planted.html"
    planted.write_text(text.replace("<main>", f"<main>{HOSTILE}"), encoding="utf-8")
    browser.hear()
    with pytest.raises(UnexpectedAlertPresentException):
        browser.driver.get(planted.as_uri())
        browser.run("return window.injected")
    browser.driver.switch_to.alert.accept()
    assert browser.run("return window.injected") is not None
    heard = browser.hear()
    assert len(set(heard.requests)) > 1
    assert heard.messages


def test_the_policy_stops_what_escapes_might_miss(
    browser: Browser, hostile: Path, tmp_path: Path
) -> None:
    """The same injection with the page's own policy neither runs nor asks for anything."""
    text = hostile.read_text(encoding="utf-8")
    planted = tmp_path / "planted.html"
    planted.write_text(text.replace("<main>", f"<main>{HOSTILE}"), encoding="utf-8")
    browser.hear()
    browser.driver.get(planted.as_uri())
    assert browser.run("return window.injected") is None
    heard = browser.hear()
    assert heard.requests == [planted.as_uri()]
    assert "http://127.0.0.1:9/x.css" in heard.stopped
    assert any("Content Security Policy" in message for message in heard.messages)


def test_hostile_texts_stand_whole_and_in_order(browser: Browser, hostile: Path) -> None:
    """A reader sees the markup as text, and direction overrides as code points."""
    browser.open(hostile)
    open_everything(browser)
    shown = browser.run("return document.querySelector('#rows .inside .pre').textContent")
    assert "</script><script>window.injected=1;alert(1)</script>" in shown
    assert "U+202Egnp.exeU+202C" in shown
    assert "{{ 7*7 }} \\u003cscript\\u003e &lt;b&gt;" in shown
    body = browser.run("return document.body.innerText")
    assert not {"\u202e", "\u2067", "\u200b", "\u0007"} & set(body)
    # Each text is isolated, so that right-to-left letters in it move nothing beside it.
    isolated = (
        "return [...document.querySelectorAll('.pre, bdi, .id, code')]"
        ".every(each => getComputedStyle(each).unicodeBidi.includes('isolate'))"
    )
    assert browser.run(isolated)


def test_the_table_searches_and_filters(browser: Browser, hostile: Path) -> None:
    """Search looks into all texts and ids; filters narrow by outcome, iteration and gate."""
    browser.open(hostile)
    assert browser.run(FOUND) == "5 of 5 seeds, with 3 examples"
    browser.search("new plums")
    assert browser.run(FOUND) == "1 of 5 seeds, with 1 example"
    browser.run("document.querySelector('#rows .open').click()")
    assert browser.run("return document.querySelector('#rows mark').textContent") == "New plums"
    example = browser.run("return document.querySelector('#rows .inside .id').textContent")
    browser.search(example)
    assert browser.run(FOUND) == "1 of 5 seeds, with 1 example"
    browser.search("no such words")
    assert browser.run(FOUND) == "No seed fits."
    assert browser.run(ROWS) == 0
    browser.search("")
    assert browser.run(ROWS) == 5
    assert choose(browser, "outcome", "never").startswith("1 of 5")
    assert choose(browser, "outcome", "broken").startswith("1 of 5")
    assert choose(browser, "outcome", "fixed").startswith("3 of 5")
    assert choose(browser, "outcome", "always") == "No seed fits."
    assert choose(browser, "outcome", "").startswith("5 of 5")
    assert choose(browser, "iteration", "1").startswith("1 of 5")
    assert choose(browser, "iteration", "").startswith("5 of 5")
    gates = browser.run("return [...document.getElementById('gate').options].map(o => o.text)")
    assert sorted(gates[1:]) == ["duplicate", "parse", "rouge", "validity"]
    assert choose(browser, "gate", str(gates.index("rouge") - 1)).startswith("1 of 5")
    choose(browser, "gate", "")
    choose(browser, "order", "kept")
    kept = browser.run(
        "return [...document.querySelectorAll('#rows [data-label=kept]')].map(c => c.textContent)"
    )
    assert kept == ["1", "1", "1", "0", "0"]
    assert browser.hear().messages == []


def test_the_page_is_used_by_keys_alone(browser: Browser, hostile: Path) -> None:
    """From the skip link to the table, into the search, and a row opened and closed."""
    browser.open(hostile)
    browser.press(Keys.TAB)
    assert browser.focused() == "skip"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") > 0
    browser.press(Keys.ENTER)
    browser.press(Keys.TAB)
    assert browser.focused() == "query"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for name in ("outcome", "iteration", "gate", "order"):
        browser.press(Keys.TAB)
        assert browser.focused() == name
    browser.press(Keys.TAB)
    assert browser.focused() == "open"
    expanded = "return document.activeElement.getAttribute('aria-expanded')"
    assert browser.run(expanded) == "false"
    browser.press(Keys.ENTER)
    assert browser.run(expanded) == "true"
    assert browser.run("return document.querySelectorAll('#rows .inside').length") == 1
    browser.press(Keys.SPACE)
    assert browser.run(expanded) == "false"
    assert browser.run("return document.querySelectorAll('#rows .inside').length") == 0


def test_every_control_has_a_name(browser: Browser, hostile: Path) -> None:
    """Chromium's own accessibility tree gives each control, table and chart a name or a head."""
    browser.open(hostile)
    browser.driver.execute_cdp_cmd("Accessibility.enable", {})
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    browser.driver.execute_cdp_cmd("Accessibility.disable", {})
    wanted = {"searchbox", "combobox", "button", "link", "region", "search", "image", "navigation"}
    named: dict[str, list[str]] = {}
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in wanted and not node.get("ignored"):
            named.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert set(named) == wanted
    assert len(named["image"]) == 5
    assert not [role for role, names in named.items() if not all(names)]


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_no_width_scrolls_sideways(browser: Browser, hostile: Path, width: int) -> None:
    """The page fits, everything unfolded, hostile texts without spaces included."""
    browser.open(hostile, width=width)
    open_everything(browser)
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_dark_and_light_differ_and_can_be_read(browser: Browser, hostile: Path) -> None:
    """Both schemes have a contrast of 4.5 at least, for text, soft text, links and charts' text."""
    contrast = """
    const part = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
    const bright = (color) => { const [r, g, b] = color.match(/[\\d.]+/g).map(Number);
      return .2126 * part(r) + .7152 * part(g) + .0722 * part(b); };
    const paper = bright(getComputedStyle(document.body).backgroundColor);
    const ratio = (color) => { const own = bright(color);
      return (Math.max(own, paper) + .05) / (Math.min(own, paper) + .05); };
    const style = (what) => getComputedStyle(document.querySelector(what));
    return [style("h1").color, style(".soft").color, style("nav a").color, style(".v.r").color,
      style(".v.w").color, style(".control td").color, style("svg text").fill, style(".code").color
    ].map(ratio);
    """
    papers = set()
    for scheme in ("light", "dark"):
        browser.open(hostile, scheme=scheme)
        papers.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        assert min(browser.run(contrast)) >= 4.5
    assert len(papers) == 2


def test_what_is_folded_is_printed(browser: Browser, hostile: Path) -> None:
    """Printing unfolds, on light paper, and folds again afterwards."""
    browser.open(hostile, scheme="dark")
    count = "return document.querySelectorAll('section > details:not([open])').length"
    browser.run(
        "window.seen = [];"
        f"addEventListener('beforeprint', () => seen.push((() => {{ {count} }})()));"
    )
    folded = browser.run(count)
    assert folded > 0
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert len(printed["data"]) > 10_000
    assert browser.run("return window.seen") == [0]
    assert browser.run(count) == folded


def test_fifty_thousand_examples_open(
    browser: Browser, large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page is bounded, few of its rows are elements, and its table holds every example."""
    assert large.stat().st_size < 30_000_000
    browser.open(large)
    assert browser.run("return document.querySelectorAll('*').length") < 6_000
    assert browser.run(FOUND) == f"5,000 of 5,000 seeds, with {N_LARGE - 5_000:,} examples"
    browser.search("shed new3-1700 ")
    assert browser.run(FOUND).startswith("1 of 5,000 seeds")
    browser.search("")
    browser.run("document.getElementById('next').click()")
    assert browser.run("return document.getElementById('page').textContent") == "page 2 of 200"
    assert browser.run(ROWS) == 25
    assert browser.hear().messages == []
    told = browser.run(
        """
        const loaded = performance.getEntriesByType("navigation")[0];
        const at = (name) => Math.round(performance.getEntriesByName(name)[0].startTime);
        return {first_paint_ms: at("first-contentful-paint"),
          loaded_ms: Math.round(loaded.loadEventEnd), table_ms: at("table")};
        """
    )
    with capsys.disabled():
        # Printed and not asserted: a busy machine is no fault of the page.
        print(f"\n{N_LARGE:,} examples, {large.stat().st_size:,} bytes: {json.dumps(told)}")  # noqa: T201
