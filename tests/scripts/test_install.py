"""`make demo` sets itself up, or says in plain words what is missing."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "install.py"


@pytest.fixture
def install() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def said_by(*words: str, **more: str) -> tuple[int, str]:
    done = subprocess.run(words, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_older_python_is_told_what_to_do() -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv[1:] = ['run']; "
        f"sys.exit(runpy.run_path({str(SCRIPT)!r})['main']())"
    )
    found, said = said_by(sys.executable, "-c", code)
    assert found == 1
    assert "Piecewise needs Python 3.11 or newer" in said
    assert "make demo PYTHON=python3.12" in said
    assert "Traceback" not in said


def test_it_can_be_read_by_an_older_python() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = (ROOT / "Makefile").read_text()
    (tmp_path / "Makefile").write_text(text)
    for name in ("requirements-run.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "install.py").write_text("")
    found, said = said_by("make", "-C", str(tmp_path), "demo", "PYTHON=python9.9")
    assert found != 0
    assert "There is no python9.9" in said


def test_too_little_room_is_said_before_anything_is_fetched(
    install: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = install["require_room"].__globals__
    monkeypatch.setitem(scope, "PYTHON", tmp_path / "none")
    monkeypatch.setattr(scope["shutil"], "disk_usage", lambda _: SimpleNamespace(free=50_000_000))
    with pytest.raises(install["CannotSetUp"], match="50 MB are free"):
        install["require_room"]("run")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found for aiohttp",
            "index",
        ),
        ("error: Failed to fetch: `https://index/simple/`", "index"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES\n Expected sha256 a\n Got b", "not the one that the lock names"),
        ("something new", "something new"),
    ],
)
def test_what_the_installer_says_is_told_in_plain_words(install: dict[str, Any], said: str, told: str) -> None:
    assert told in install["in_words"](subprocess.CalledProcessError(1, "pip", said))


@pytest.mark.parametrize(("lock", "name"), [("requirements.lock", "setuptools"), ("requirements-tools.lock", "uv")])
def test_what_is_fetched_beside_the_lock_has_its_hash_from_a_lock(
    install: dict[str, Any], lock: str, name: str
) -> None:
    lines = install["block"](lock, name).splitlines()
    assert lines[0].startswith(f"{name}==")
    assert any("--hash=sha256:" in line for line in lines)
    assert all(line.startswith(" ") for line in lines[1:])


def test_everything_that_runs_is_in_the_developers_lock_in_the_same_version() -> None:
    def versions(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    assert versions("requirements-run.lock") <= versions("requirements.lock")
