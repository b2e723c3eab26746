"""Every code has a page that says what it means, shows what pastore really prints, and tells how to mend it."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

import pastore
from pastore.findings import CODES, page
from tests.support.command import pastore as run
from tests.support.finding_examples import BLOCK, EXAMPLES, KEY, PAGES, printed
from tests.support.findings_page import PATH, rendered

SECTIONS = ["What it means", "Example", "How to mend it"]
SOURCES = Path(pastore.__file__).parent
FENCED = re.compile(r"^```.*?^```$|^    .*?$", re.DOTALL | re.MULTILINE)


def section(code: str, title: str) -> str:
    """Return the text of one section of a page."""
    return page(code).split(f"\n## {title}\n")[1].split("\n## ")[0]


def prose(code: str) -> list[str]:
    """Return the sentences of a page."""
    text = "\n".join(line for line in FENCED.sub("", page(code)).splitlines() if not line.startswith("#"))
    return [" ".join(sentence.split()) for sentence in re.split(r"(?<=[.:])\s+", text)]


def literals() -> set[str]:
    """Return the codes that are written in the sources outside the registry."""
    texts = [path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py") if path.parent.name != "findings"]
    return {code for text in texts for code in re.findall(r'"(PA\d+)"', text)}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert sorted(path.name for path in PAGES.iterdir()) == [f"{code}.md" for code in CODES]


@pytest.mark.parametrize("code", CODES)
class TestEveryPage:
    def test_begins_with_the_code_and_its_registered_title(self, code: str) -> None:
        assert page(code).splitlines()[0] == f"# {code}: {CODES[code].title}"

    def test_has_the_three_sections_and_none_is_empty(self, code: str) -> None:
        assert re.findall(r"^#+ (.*)$", page(code), re.MULTILINE)[1:] == SECTIONS
        assert all(section(code, title).strip() for title in SECTIONS)

    def test_is_short_plain_text(self, code: str) -> None:
        text = page(code)
        assert 60 <= len(text.split()) <= 200
        assert text.isascii()
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert max(map(len, BLOCK.sub("", text).splitlines())) <= 130

    def test_shows_in_its_example_what_pastore_prints(self, code: str) -> None:
        blocks = BLOCK.findall(section(code, "Example"))
        assert blocks == [printed(code)], "write the examples anew with: python -m tests.support.finding_examples"
        assert f" {code} " in blocks[0].splitlines()[1]
        assert len(BLOCK.findall(page(code))) == 1

    def test_holds_no_key_of_the_policies_of_the_examples(self, code: str) -> None:
        assert KEY.key is not None
        assert KEY.key.reveal() not in page(code)

    def test_is_what_pastore_rule_shows(self, code: str) -> None:
        result = run("rule", code)
        assert result.status == 0
        assert result.out.startswith(page(code))

    def test_names_only_codes_that_exist(self, code: str) -> None:
        assert set(re.findall(r"\bPA\d{3}\b", page(code))) <= set(CODES)


def test_no_sentence_stands_on_two_pages() -> None:
    pages = defaultdict(list)
    for code in CODES:
        for sentence in set(prose(code)):
            if len(sentence.split()) > 7:
                pages[sentence].append(code)
    assert {sentence: codes for sentence, codes in pages.items() if len(codes) > 1} == {}


def test_every_decision_that_a_page_refers_to_is_recorded() -> None:
    recorded = {path.name[:3] for path in (PATH.parent / "adr").glob("*.md")}
    named = {number for code in CODES for number in re.findall(r"docs/adr/(\d{3})", page(code))}
    assert named
    assert named <= recorded


def test_every_registered_code_is_caused_somewhere_and_no_other() -> None:
    assert literals() == set(CODES)


def test_there_is_an_example_for_every_code_and_no_other() -> None:
    assert list(EXAMPLES) == list(CODES)


def test_the_table_of_all_findings_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == rendered(), "write it anew with: python -m tests.support.findings_page"


def test_the_table_of_all_findings_links_to_every_page() -> None:
    links = re.findall(r"\]\(([^)]*pages/[^)]*)\)", PATH.read_text(encoding="utf-8"))
    assert [(PATH.parent / link).resolve().name for link in links] == [f"{code}.md" for code in CODES]
    assert all((PATH.parent / link).is_file() for link in links)


def test_a_page_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        page("PA999")
