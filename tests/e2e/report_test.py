"""The report in a real browser, opened from disk: no network, clips that play, filters, both languages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PLAYED, kept, started_browser, watched_page

from huidu.adapters.report.html import write_report
from huidu.adapters.report.sample_test import document

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# Rows of charts that draw into the next one.
OVERLAPPING = """() => [...document.querySelectorAll(".chart tbody tr + tr")]
  .map(row => [row.previousElementSibling.querySelector("svg"), row])
  .filter(([strip, row]) => strip.getBoundingClientRect().bottom > row.getBoundingClientRect().top + 1)
  .map(([, row]) => row.textContent)"""

# Of the aligned texts of one line where what was said and what was heard stands, and their marks.
ALIGNED = """() => [...document.querySelectorAll("#list .columns")].map(row => {
  const columns = [...row.children];
  const heights = columns.flatMap(({children}) => [...children].slice(0, 2).map(cell => cell.offsetTop));
  return [heights, columns.map(column => column.lastElementChild.textContent.trim())];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started_browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(document(300), path, "zh")
    return path.as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}, locale="zh-CN") as opened:
        opened.goto(address)
        yield opened


def listed(page: Any) -> int:
    return int(page.locator("#list > li").count())


def found(page: Any) -> int:
    """How many utterances match, as the page says."""
    said = page.locator("#found").inner_text()
    return int(re.findall(r"\d+", said.split(" · ")[0])[-1])


def test_the_page_shows_the_verdict_in_the_language_asked_for(page: Any) -> None:
    first = page.locator(".conclusion .sentence").first
    assert first.inner_text().endswith("不应上线。")
    assert page.title().startswith("语音识别对比报告")
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"


def test_a_clip_plays_and_its_button_stops_it(page: Any) -> None:
    button = page.locator("#list .play").first
    button.focus()
    page.keyboard.press("Enter")
    page.evaluate(PLAYED, 0.2)
    assert page.evaluate("document.getElementById('audio').duration") > 0.5
    assert page.locator("#player").is_visible()
    sync_api.expect(button).to_have_class(re.compile("active"))
    page.keyboard.press("Enter")
    sync_api.expect(button).not_to_have_class(re.compile("active"))
    assert page.evaluate("document.getElementById('audio').paused")


def test_a_phrase_plays_and_leads_to_its_utterances(page: Any) -> None:
    row = page.locator("table.phrases tbody tr").first
    row.locator(".play").click()
    page.evaluate(PLAYED, 0.1)
    row.locator("[data-ids]").click()
    times = int(row.locator("td.n").inner_text().removeprefix("×"))
    assert found(page) == listed(page) == times
    assert row.locator("th").inner_text() in page.locator("#list > li").first.inner_text()
    page.locator("#filters [type=reset]").click()
    sync_api.expect(page.locator("#list > li")).to_have_count(50)


def test_a_missed_number_leads_to_its_utterances(page: Any) -> None:
    row = page.locator("table.missed tbody tr").first
    said = row.locator("th bdi").first.inner_text()
    times = int(row.locator("td.n").inner_text().removeprefix("×"))
    row.locator("[data-ids]").click()
    assert found(page) == listed(page) == times
    assert all(f"听错的数字：{said} → " in text for text in page.locator("#list > li").all_inner_texts())


def test_a_hypothesis_can_stand_under_its_reference(page: Any) -> None:
    plain = page.locator("#list").inner_text()
    page.check("#aligned")
    rows = page.evaluate(ALIGNED)
    assert len(rows) > 10
    for heights, marks in rows:
        # All that was heard stands on one line, below all that was said.
        assert len(set(heights)) == 2
        assert {*marks, ""} > {""}
        assert set(marks) <= {"", "S", "D", "I"}
    page.uncheck("#aligned")
    assert page.locator("#list").inner_text() == plain


def test_filters_show_what_matches_and_nothing_else(page: Any) -> None:
    everything = found(page)
    page.select_option("[name=category]", "digits")
    digits = found(page)
    assert 0 < digits < everything
    assert all("digits" in text for text in page.locator("#list .head").all_inner_texts())
    page.select_option("[name=category]", "")
    page.select_option("[name=change]", "better")
    assert all("变好" in text for text in page.locator("#list .head").all_inner_texts())
    better = found(page)
    page.select_option("[name=change]", "worse")
    assert all("变差" in text for text in page.locator("#list .head").all_inner_texts())
    assert 0 < better < found(page) <= everything
    page.select_option("[name=change]", "")
    page.fill("[name=search]", "电话")
    assert 0 < found(page) < everything
    assert all("电话" in text for text in page.locator("#list > li").all_inner_texts())
    page.fill("[name=search]", "nobody said this")
    assert page.locator("#found").inner_text() == "没有符合条件的语句。"


def test_pages_of_fifty_reach_the_last_utterance(page: Any) -> None:
    total, seen = found(page), listed(page)
    assert listed(page) == 50
    following = page.locator("[data-page='1']")
    while following.is_enabled():
        following.click()
        seen += listed(page)
    assert seen == total
    assert page.locator("[data-page='-1']").is_enabled()


def test_the_language_switch_changes_every_word(page: Any) -> None:
    page.click("[data-switch=en]")
    assert page.locator(".conclusion .sentence").first.inner_text().endswith("do not release.")
    assert page.title().startswith("Speech recognition evaluation")
    shown = page.locator("main").inner_text()
    for part in ("逐条", "参考", "结论", "毫秒", "全部", "变差", "如何"):
        assert part not in shown
    page.click("[data-switch=zh]")
    shown = page.locator("main").inner_text()
    for part in ("Reference", "Utterances", "Summary", " ms", "errors", "Worse", "all right", "Charts"):
        assert part not in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_at_any_width(browser: Any, address: str, width: int, language: str, scheme: str) -> None:
    with watched_page(browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.goto(address)
        page.click(f"[data-switch={language}]")
        page.screenshot(path=kept(f"report-{language}-{width}-{scheme}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPPING) == []
        page.check("#aligned")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_texts_stay_texts(browser: Any, tmp_path: Path) -> None:
    result = document(20, ("v1", "v2"))
    harm = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\0\u202e"
    result["set"]["name"] = harm
    for one in result["utterances"]:
        one.update(text=harm * 50, speaker=harm, category=harm)
        one["hypotheses"]["v2"].update(text=harm, diff=[["substitution", harm, harm * 900]])
    for phrase in result["comparisons"][0]["phrases"]:
        phrase.update(reference=harm, candidate=harm)
    path = tmp_path / "hostile.html"
    write_report(result, path, "en")
    with watched_page(browser, viewport={"width": 390, "height": 900}) as page:
        page.goto(path.as_uri())
        assert page.title().startswith("Speech recognition evaluation: </script>")
        assert page.locator("img").count() == 0
        assert listed(page) == 20
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.check("#aligned")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_ten_thousand_utterances_stay_usable(browser: Any, tmp_path: Path) -> None:
    result = document(200, ("v1", "v2"))
    known = result["utterances"]
    result["utterances"] = [{**known[index % 200], "id": f"{index:05}"} for index in range(10_000)]
    path = tmp_path / "large.html"
    write_report(result, path, "en")
    with watched_page(browser) as page:
        page.goto(path.as_uri())
        assert listed(page) == 50
        page.fill("[name=search]", "零")
        assert 100 < found(page) < 10_000
        assert listed(page) == 50
