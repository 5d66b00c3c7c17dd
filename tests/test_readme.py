import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_second_command_of_the_readme():
    commands = re.findall(r"```bash\n(python3 .*)\n```", (ROOT / "README.md").read_text())
    assert len(commands) == 2
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == commands[1]


def test_every_link_of_the_documentation_leads_somewhere():
    for page in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
    ]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
