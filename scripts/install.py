"""Sets up `.venv`: `run` with what the bot needs, `all` with what its developers need, too. Started by the Makefile.

By uv where it is at hand; else uv is fetched for this one time, for it takes seconds where pip takes half a minute; and
where neither goes, by pip. Every file is known by its hash. Python's own library alone, and no newer syntax than Python
3.8 has, so that an older Python can say that it is too old.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCKS = {"run": "requirements-run.lock", "all": "requirements.lock"}
STAMPS = {"run": (".installed-run",), "all": (".installed-run", ".installed")}
#: What a fresh `.venv` and the files on their way to it need, in MB.
ROOM = {"run": 400, "all": 1500}
OLDEST = (3, 11)
#: A connection that is refused is tried once more, and no longer.
PATIENCE = ["--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "20"]
#: How pip and uv say that they reached nobody.
UNREACHED = re.compile(
    r"connection|resolve|dns|timed out|retries|network|unreachable|no matching distribution|failed to fetch", re.I
)


class CannotSetUp(Exception):
    """What is wrong, and what to do about it, in plain words."""


def say(text):
    """One line for a person."""
    print(text, flush=True)


def block(lock, name):
    """The lines of a lock that name this package with its hashes."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name + "=="))
    end = next((number for number in range(start + 1, len(lines)) if not lines[number].startswith(" ")), len(lines))
    return "\n".join(lines[start:end]) + "\n"


def count_of(lock):
    """How many packages a lock lists, each once."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return len(set(re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==", text, re.MULTILINE)))


def require_python():
    """Raises CannotSetUp unless this Python is new enough."""
    if sys.version_info[:2] < OLDEST:
        have = "{}.{}".format(*sys.version_info[:2])
        raise CannotSetUp(
            f"Piecewise needs Python 3.11 or newer, and {sys.executable} is {have}.\n"
            "If a newer one is there, name it: make demo PYTHON=python3.12"
        )


def require_room(kind):
    """Raises CannotSetUp unless the disk has room for it."""
    free = shutil.disk_usage(ROOT).free // 1_000_000
    if free < ROOM[kind] and not PYTHON.exists():
        raise CannotSetUp(f"There is too little room: {free} MB are free in {ROOT}, and {ROOM[kind]} MB are needed.")


def call(words, **more):
    """Runs it and gives what it said; raises CalledProcessError with both outputs together."""
    done = subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        check=False, cwd=str(ROOT), **more
    )  # fmt: skip
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout)
    return done.stdout


def works(words):
    """Whether this command is there and ends well."""
    try:
        call(words)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def make_venv(with_pip):
    """A `.venv` of this Python; one that does not start any more (its Python is gone, or it was moved) is made anew."""
    if PYTHON.exists() and not works([PYTHON, "-c", "import sys"]):
        shutil.rmtree(VENV)
    if not PYTHON.exists():
        call([sys.executable, "-m", "venv", "--without-pip", VENV])
    if with_pip and not works([PYTHON, "-m", "pip", "--version"]):
        try:
            call([PYTHON, "-m", "ensurepip", "--default-pip"])
        except subprocess.CalledProcessError as error:
            raise CannotSetUp(
                f"{sys.executable} has no pip to give to {VENV}. On Debian or Ubuntu: apt install python3-venv"
            ) from error


def index_of_pip():
    """What uv must know of pip's settings: where to fetch, and whom to trust. Empty where pip has none of its own."""
    try:
        said = call([sys.executable, "-m", "pip", "config", "list"])
    except (OSError, subprocess.CalledProcessError):
        return {}
    found = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", said, re.MULTILINE))
    wanted = {"UV_DEFAULT_INDEX": found.get("index-url"), "SSL_CERT_FILE": found.get("cert")}
    return {name: value for name, value in wanted.items() if value and name not in os.environ}


def find_uv(folder):
    """The path of uv, fetched into this folder if it is nowhere else; None where that does not go."""
    for place in (shutil.which("uv"), PYTHON.parent / "uv", ROOT / ".venv-tools/bin/uv"):
        if place and works([place, "--version"]):
            return str(place)
    pip = [sys.executable, "-m", "pip"] if works([sys.executable, "-m", "pip", "--version"]) else None
    if pip is None:
        return None
    (folder / "uv.txt").write_text(block("requirements-tools.lock", "uv"), encoding="utf-8")
    try:
        call([*pip, "install", *PATIENCE, "-q", "--no-compile", "--only-binary", ":all:", "--require-hashes",
              "--target", folder / "uv", "-r", folder / "uv.txt"])  # fmt: skip
    except subprocess.CalledProcessError:
        return None
    return str(folder / "uv/bin/uv")


def by_uv(uv, needed):
    """All of it in parallel."""
    own = dict(os.environ, **index_of_pip())
    common = [uv, "pip", "install", "-q", "--python", PYTHON]
    call([*common, "--require-hashes", *needed], env=own)
    call([*common, "--no-deps", "--no-build-isolation", "-e", "."], env=own)


def by_pip(needed):
    """One after the other, each named while it comes."""
    make_venv(with_pip=True)
    words = [PYTHON, "-m", "pip", "install", *PATIENCE, "--no-compile", "--progress-bar", "off"]
    follow([*words, "--require-hashes", *needed])
    call([*words, "-q", "--no-deps", "--no-build-isolation", "-e", "."])


def follow(words):
    """Runs pip; on a terminal one line says what it waits for."""
    shown, said = sys.stdout.isatty(), []
    with subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        cwd=str(ROOT),
    ) as run:  # fmt: skip
        for line in run.stdout:
            said.append(line)
            step = re.match(r"\s*(Downloading|Collecting|Using cached|Installing)\s+(\S+)", line)
            if shown and step:
                print(
                    f"\r\033[K  {step[1].lower()} {step[2].split('==')[0].rsplit('/', 1)[-1][:50]} …",
                    end="",
                    flush=True,
                )
    if shown:
        print("\r\033[K", end="", flush=True)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, words, "".join(said))


def in_words(error):
    """What a person can do about what pip or uv said."""
    said = error.output or ""
    last = "\n".join(said.strip().splitlines()[-3:])
    if "No space left" in said:
        return f"The disk is full: {ROOM['run']} MB are needed. Make room, then run it again.\n{last}"
    if "hash" in said.casefold() and "match" in said.casefold() and "expected" in said.casefold():
        return f"A file that was fetched is not the one that the lock names: nothing of it was installed.\n{last}"
    if UNREACHED.search(said):
        return (
            "The package index cannot be reached, or lacks a package. Is this machine online? Behind a proxy, or\n"
            "with an index of your own, set HTTPS_PROXY or PIP_INDEX_URL, then run it again. What was said last:\n"
            f"{last}"
        )
    return f"The installation stopped. What was said last:\n{last}"


def install(kind):
    """Leaves `.venv` with everything, and the stamps that say so."""
    lock, begun = LOCKS[kind], time.monotonic()
    require_python()
    require_room(kind)
    say(f"Setting up {VENV.name} for Python {sys.version_info[0]}.{sys.version_info[1]}: this happens once.")
    with tempfile.TemporaryDirectory(prefix="piecewise-") as folder:
        (Path(folder) / "build.txt").write_text(block("requirements.lock", "setuptools"), encoding="utf-8")
        needed = ["-r", ROOT / lock, *(["-r", Path(folder) / "build.txt"] if kind == "run" else [])]
        make_venv(with_pip=kind == "all")
        uv = find_uv(Path(folder))
        say(f"Fetching {count_of(lock)} packages from the package index, with {'uv' if uv else 'pip: half a minute'} …")
        if not (uv and succeeded(by_uv, uv, needed)):
            by_pip(needed)
    for stamp in STAMPS[kind]:
        (VENV / stamp).touch()
    say(f"Done in {time.monotonic() - begun:.0f} s.")


def succeeded(work, *given):
    """Whether uv could do it; what it said is shown, and pip gets its turn."""
    try:
        work(*given)
    except subprocess.CalledProcessError as error:
        last = (error.output or "").strip().splitlines()[-1:] or ["it did not say why"]
        say(f"uv could not ({last[0].strip()[:160]}). Trying pip, which takes longer …")
        return False
    return True


def main():
    """The program; its exit code."""
    try:
        install(sys.argv[1])
    except CannotSetUp as error:
        say("\n".join("✗ " + line for line in str(error).splitlines()))
        return 1
    except subprocess.CalledProcessError as error:
        say("\n".join("✗ " + line for line in in_words(error).splitlines()))
        return 1
    except OSError as error:
        say(f"✗ {error.filename or ROOT}: {error.strerror}. Is there room, and may this folder be written to?")
        return 1
    except KeyboardInterrupt:
        say("\n✗ Stopped. Run it again to go on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
