"""What the README, the docs and the examples say is what the program does."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bot.__main__ import app
from bot.front.listeners import COMMANDS
from bot.settings import Settings, reference
from bot.slack.client import HTTP_SCOPES, SCOPES
from handlers.text.status_styles import STYLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PROGRAM = typer.main.get_group(app)


def test_the_reference_is_what_the_program_has() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["page"]()
    assert (DOCS / "reference.md").read_text() == page, "stale: make reference"


@pytest.mark.parametrize(("name", "default", "text"), reference())
def test_every_setting_stands_in_the_reference_with_its_default(name: str, default: str, text: str) -> None:
    shown = f"`{default}`" if default else ""
    assert f"| `{name}` | {shown} | {text} |" in (DOCS / "reference.md").read_text()


@pytest.mark.parametrize("name", [row[0] for row in reference() if row[0] != "SLACK_CLIENT_ID"])
def test_every_setting_stands_in_the_example(name: str) -> None:
    assert re.search(rf"^#?{name}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("scope", "reason"), [*SCOPES.items(), *HTTP_SCOPES.items()])
def test_every_scope_stands_with_its_reason(scope: str, reason: str) -> None:
    assert f"| `{scope}` | {reason} |" in (DOCS / "approve.md").read_text()


@pytest.mark.parametrize("word", [*COMMANDS, *(style.label for style in STYLES.values())])
def test_every_command_and_status_is_named(word: str) -> None:
    assert word in README


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", [
    "manifest.yml", "docs/ask.md", "docs/approve.md", "bot/sandbox/page.py", "bot/sandbox/assets/compose.js",
    "tests/fuzz/seeds.py",
])  # fmt: skip
def test_every_command_is_named_wherever_they_are_listed(file: str, command: str) -> None:
    assert command in (DOCS.parent / file).read_text()


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: style.label)
def test_every_status_is_explained(style: Any) -> None:
    assert f"| {style.label} | " in (DOCS / "statuses.md").read_text()


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "docs", "pictures"])
def test_every_make_target_is_there_and_named(target: str) -> None:
    assert target in TARGETS
    assert f"make {target}" in README


def test_the_readme_is_one_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 125


def test_every_metric_that_is_watched_is_in_the_reference() -> None:
    known = (DOCS / "reference.md").read_text()
    watched = set(re.findall(r"\| `(piecewise_\w+)", (DOCS / "operate.md").read_text()))
    assert watched == set(re.findall(r"\| `(piecewise_[a-z_]+)` \| (?:gauge|counter|histogram)", known))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_to_something(page: Path) -> None:
    for path, _, anchor in (target.partition("#") for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())):
        if "://" in path or path.startswith("mailto:"):
            continue
        there = (page.parent / path) if path else page
        assert there.exists(), path
        assert not anchor or anchor in anchors(there), f"{path}#{anchor}"


def test_every_page_has_its_place_on_the_site() -> None:
    listed = set(re.findall(r"([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {page.name for page in DOCS.glob("*.md")} | {"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} == listed


def blocks(page: Path) -> list[str]:
    """The lines of a page's fenced blocks without a language: what a reader types."""
    found, fence = [], ""
    for line in page.read_text().splitlines():
        if line.strip().startswith("```"):
            fence = "" if fence else line.strip()
        elif fence == "```" and line.strip():
            found.append(line.strip().split("   #")[0].split("  #")[0].strip())
    return found


#: Commands of the pages that are run here as they stand, in an empty folder with the example's settings.
RUN_HERE = ("piecewise settings > .env", ".venv/bin/piecewise settings > .env")
#: Those that another test runs.
RUN_ELSEWHERE = {
    "make demo": "tests/scripts, tests/browser", "make test": "this very run, in CI", "make lint": "before every merge",
    "make bench": "tests/benchmarks", "piecewise check": "tests/journeys/test_process.py",
    "piecewise run": "tests/journeys/test_process.py", ".venv/bin/piecewise check": "tests/journeys/test_process.py",
    ".venv/bin/piecewise run": "tests/journeys/test_process.py",
    "piecewise migrate --partitions 16": "tests/storage/test_partitions.py",
}  # fmt: skip
#: Those that no test runs, each with what is missing: how a line of a block begins.
NOT_RUN = {
    "docker": "no container engine", "python3 -m venv /opt": "writes outside the folder", "/opt/piecewise": "the same",
    "install -D": "writes to /etc", "cp docs/piecewise.service": "writes to /etc", "systemctl": "no systemd that runs",
    "journalctl": "no systemd that runs", "-e DATABASE_URL": "a part of docker run", "git worktree": "compares versions, long",
    "rm -r ../before": "the same", "for ": "the same", "(cd $version": "the same", "done": "the same", "jq ": "the same",
}  # fmt: skip
#: What stands in a block and is no command.
OTHER = re.compile(r"[A-Z_]+=|(?:bot|handlers|storage)/ |decisions|memory:|setup, admin|/\w+ ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_run_or_named_as_not_run(page: Path) -> None:
    for line in blocks(page):
        known = line in RUN_HERE or line in RUN_ELSEWHERE or line.startswith(tuple(NOT_RUN)) or OTHER.match(line)
        assert known or page.name in ("simulation.md", "CONTRIBUTING.md"), f"{page.name}: {line}"


def test_a_newcomers_first_commands_do_what_the_pages_say(tmp_path: Path) -> None:
    (tmp_path / "piecewise").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m bot "$@"\n')
    (tmp_path / "piecewise").chmod(0o755)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/piecewise").symlink_to(tmp_path / "piecewise")
    for name in ("manifest.yml", ".env.example"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for line in RUN_HERE:
        done = subprocess.run(  # noqa: S602 - our own words, as a shell takes them
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / ".env").read_text() == (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_is_there_with_its_options(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"make ([a-z]+)\b(?= |`|$)", "\n".join(re.findall(r"`(make [^`]+)`", text))):
        assert target in TARGETS, f"make {target}"
    for said in re.findall(r"`(?:\.venv/bin/)?piecewise ([a-z][^`]*)`", text):
        command, *given = shlex.split(said.split(" > ")[0].replace("…", ""))
        assert command in PROGRAM.commands, said
        options = {name for one in PROGRAM.commands[command].params for name in (*one.opts, *one.secondary_opts)}
        assert {word.partition("=")[0] for word in given if word.startswith("--")} <= options, said


def test_the_unit_of_systemd_is_read_without_a_complaint() -> None:
    unit = (DOCS / "piecewise.service").read_text()
    assert "ExecStart=/opt/piecewise/bin/piecewise run\n" in unit
    keys = re.findall(r"^(\w+)=", unit, re.MULTILINE)
    assert len(keys) == len(set(keys))


def test_the_site_is_what_it_was_set_up_as() -> None:
    lines = (ROOT / "mkdocs.yml").read_text().replace("!!python/name:", "")
    site = yaml.safe_load(lines)
    assert set(site["validation"]["links"].values()) == {"warn"}
    assert "--strict" in (ROOT / "Makefile").read_text()


def test_ci_runs_the_readmes_own_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_secrets_of_the_settings_do_not_show() -> None:
    made = Settings(_env_file=None, slack_bot_token="xoxb-planted", stannp_api_key="planted-key")
    assert "planted" not in repr(made) + str(made)
