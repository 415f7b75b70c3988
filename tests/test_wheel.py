"""What is built holds all that runs: the commands work from the wheel alone, in an empty folder."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

from storage.schema import revision
from storage.vault import new_key

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was unpacked into. It is built from a copy: a build writes beside its sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("bot", "handlers", "storage"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "manifest.yml", ".env.example"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(source.glob("*.whl"))) as wheel:
        wheel.extractall(target)
    return target


def say(installed: Path, folder: Path, *words: str) -> tuple[int, str]:
    """The exit code of a command of the wheel and what it said, in this folder, with settings for many workspaces."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(installed), "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "s", "SLACK_SIGNING_SECRET": "s", "PIECEWISE_ENCRYPTION_KEYS": new_key(),
        "PIECEWISE_PUBLIC_URL": "https://mail.example",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *words], check=False, env=environment, cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_the_program_that_is_tried_here_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    code, said = say(installed, tmp_path, "-c", "import bot, storage; print(bot.__file__, storage.__file__)")
    assert (code, said.count(str(installed))) == (0, 2)
    assert {"page.html", "page.css", "page.js"} <= {file.name for file in (installed / "bot/sandbox/assets").iterdir()}
    statements = {file.name for file in (ROOT / "storage/sql").iterdir()}
    assert {file.name for file in (installed / "storage/sql").iterdir()} == statements


def test_the_manifest_is_printed_from_a_wheel(installed: Path, tmp_path: Path) -> None:
    assert say(installed, tmp_path, "-m", "bot", "manifest") == (0, (ROOT / "manifest.yml").read_text())
    code, said = say(installed, tmp_path, "-m", "bot", "manifest", "--many", "--url", "https://mail.example")
    assert (code, "https://mail.example/slack/oauth_redirect" in said) == (0, True)


def test_what_a_newcomer_meets_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    code, said = say(installed, tmp_path, "-m", "bot")
    assert code == 0
    for step in ("demo", "manifest", "settings > .env", "check", "run"):
        assert f"piecewise {step}" in said
    assert say(installed, tmp_path, "-m", "bot", "settings") == (0, (ROOT / ".env.example").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert say(installed, tmp_path, "-m", "bot", "--version") == (0, f"piecewise {version}\n")
    (tmp_path / ".env").write_text("")
    assert "set up here" in say(installed, tmp_path, "-m", "bot")[1]


@pytest.mark.parametrize(
    ("shell", "scripted"), [("bash", "complete -o"), ("zsh", "#compdef piecewise"), ("fish", "complete --command")]
)
def test_a_shell_completes_the_commands(installed: Path, tmp_path: Path, shell: str, scripted: str) -> None:
    # Whose words are wanted is told by the name of the process that asks, so any shell will do under that name.
    asking = tmp_path / shell
    shutil.copy(shutil.which("bash") or "/bin/bash", asking)
    show = "import sys; sys.argv[:] = ['piecewise', '--show-completion']; import bot.__main__ as m; m.main()"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(installed)}
    words = [str(asking), "-c", '"$@"; exit $?', shell, sys.executable, "-c", show]
    done = subprocess.run(words, check=False, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, scripted in done.stdout, "piecewise" in done.stdout) == (0, True, True), (
        done.stdout + done.stderr
    )


def test_the_demo_runs_from_the_wheel_and_ends_by_a_signal(installed: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(installed)}
    words = [sys.executable, "-u", "-m", "bot", "demo", "--no-browser"]
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as run:
        said = ""
        assert run.stdout is not None
        while "Ctrl-C ends it" not in said and (line := run.stdout.readline()):
            said += line
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address is not None, said
        with urllib.request.urlopen(address[0], timeout=20) as page:  # noqa: S310 - our own, on this machine
            assert page.status == 200
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=60) == 0


def test_a_fresh_folder_is_checked_without_leaving_anything_in_it_and_then_migrated(
    installed: Path, tmp_path: Path
) -> None:
    code, said = say(installed, tmp_path, "-m", "bot", "check")
    assert (code, "Traceback" in said) == (0, False), said
    assert "no file yet" in said
    assert list(tmp_path.iterdir()) == []
    code, said = say(installed, tmp_path, "-m", "bot", "migrate")
    assert (code, f"Schema empty → {revision.HEAD}." in said) == (0, True), said
    code, said = say(installed, tmp_path, "-m", "bot", "check")
    assert (code, "0 installed" in said) == (0, True), said


@pytest.mark.parametrize("command", ["check", "migrate", "run"])
def test_a_folder_that_is_not_there_is_named(installed: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL=sqlite:///{tmp_path}/none/mail.db\n")
    code, said = say(installed, tmp_path, "-m", "bot", command)
    assert code == 1
    assert f"{tmp_path}/none" in said.replace("\n", "")
    assert "Traceback" not in said
