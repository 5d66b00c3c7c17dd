import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_ci_runs_the_second_command_of_the_readme():
    commands = re.findall(r"```bash\n(python3 .*)\n```", (ROOT / "README.md").read_text())
    assert len(commands) == 2
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == commands[1]


def pages():
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    source = PROJECT["urls"]["Source"]
    raw = source.replace("github.com", "raw.githubusercontent.com")
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        own = re.match(rf"(?:{source}/(?:blob|tree)|{raw})/main/", target)
        if own:
            assert (ROOT / target[own.end() :]).exists(), f"{page.name} links to {target}"
        elif not target.startswith(("https://", "http://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_the_package_index_shows_has_no_link_that_needs_the_repository():
    text = (ROOT / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((?!https://|#)([^)]*)\)", text) == []


def test_a_page_is_in_the_contents_of_the_site():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    missing = {page.with_suffix("").as_posix() for page in pages} - set(index.splitlines())
    assert missing == {"index"}


def test_every_page_that_the_code_names_exists():
    for file in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"\bdocs/[\w/-]+\.md", file.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{file} names {name}"
