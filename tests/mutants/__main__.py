"""`make mutants`: changes one decision at a time, and says which changes the fast tests did not notice.

Words: `wing=cancel` for one wing, `sample=40` changes of each (0: all of them; of storage, whose tests take half a minute,
a fifth as many), `seed=1`, `jobs=2`. The report is
printed and kept in build/mutants.md. Ends with 1 where less of `handlers/` was noticed than GOAL.
"""

import os
import random
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.mutants import trial
from tests.mutants.changes import ROOT, Mutant, mutants_of
from tests.mutants.trial import Child, Reached

#: The share of the sampled changes in `handlers/` that the fast ring must notice, less those that change nothing.
GOAL: Final = 0.85
SAMPLE: Final = 40
#: Tests of storage take so many times longer, and fewer changes are tried there.
SLOWER: Final = 5
REPORT: Final = ROOT / "build" / "mutants.md"
EQUIVALENT: Final = Path(__file__).parent / "equivalent.toml"
console = Console()


@dataclass(frozen=True)
class Wing:
    """Modules, and the tests that are to notice what is changed in them."""

    name: str
    paths: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass
class Tally:
    """What became of a wing's changes. `unreached`: survivors on lines that no test of the wing runs."""

    wing: Wing
    killed: int = 0
    equivalent: int = 0
    of: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    unreached: list[Mutant] = field(default_factory=list)

    @property
    def survived(self) -> int:
        return len(self.survivors) + len(self.unreached)


def wings() -> Iterator[Wing]:
    """Each wing of handlers with its own tests; and storage, but for its tables, which its migrations are tested by."""
    for folder in sorted((ROOT / "handlers").iterdir()):
        tests = f"tests/handlers/{folder.name}"
        if folder.is_dir() and (paths := _modules(folder)):
            yield Wing(folder.name, paths, (tests,) if (ROOT / tests).is_dir() else ())
    above = sorted(str(one.relative_to(ROOT)) for one in (ROOT / "tests/handlers").glob("test_*.py"))
    yield Wing("handlers", _modules(ROOT / "handlers"), tuple(above))
    for name in ("", "ledger", "queries"):
        yield Wing(f"storage/{name}".strip("/"), _modules(ROOT / "storage" / name), ("tests/storage",))


def _modules(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(str(one.relative_to(ROOT)) for one in folder.glob("*.py") if one.name != "__init__.py"))


def equivalent() -> set[tuple[str, str, str]]:
    """Changes that change nothing, by file, operator and line: each stands there with its reason."""
    known = tomllib.loads(EQUIVALENT.read_text())
    return {(one["path"], one["operator"], one["line"]) for one in known.get("same", [])}


def tried(wing: Wing, sample: int, seed: int, jobs: int) -> Tally:
    """Tries a wing's changes, `jobs` at a time."""
    every = [mutant for path in wing.paths for mutant in mutants_of(path)]
    chosen = every if not sample else random.Random(f"{seed}:{wing.name}").sample(every, min(sample, len(every)))
    same, found = equivalent(), Tally(wing, of=len(every))
    waiting = [one for one in chosen if (one.path, one.operator, one.text) not in same]
    found.equivalent = len(chosen) - len(waiting)
    reached = trial.reach(wing.tests, wing.paths) if wing.tests else Reached(0.0)
    found.unreached = [one for one in waiting if not reached.runs(one)]
    waiting = [one for one in waiting if reached.runs(one)]
    running: list[Child] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(trial.begin(waiting.pop(), wing.tests, reached))
        for child in [*running]:
            noticed = trial.is_over(child)
            if noticed is None:
                continue
            running.remove(child)
            if noticed:
                found.killed += 1
            elif not child.every:
                running.append(trial.begin(child.mutant, wing.tests, reached, every=True))
            else:
                found.survivors.append(child.mutant)
        time.sleep(0.01)
    return found


def rate(tallies: Sequence[Tally]) -> float:
    """The share that was noticed."""
    killed, survived = sum(one.killed for one in tallies), sum(one.survived for one in tallies)
    return killed / (killed + survived) if killed + survived else 1.0


def report(tallies: Sequence[Tally]) -> str:
    lines = [
        "# Changes that the fast ring noticed",
        "",
        "| wing | killed | survived | equivalent | of | rate |",
        "|---|---|---|---|---|---|",
    ]
    for one in tallies:
        numbers = f"{one.killed} | {one.survived} | {one.equivalent} | {one.of} | {rate([one]):.0%}"
        lines.append(f"| {one.wing.name} | {numbers} |")
    for one in tallies:
        lines += ["", f"## {one.wing.name}"] if one.survived else []
        lines += [f"- {mutant}" for mutant in sorted(one.survivors, key=str)]
        lines += [f"- {mutant} (no test of the wing comes here)" for mutant in sorted(one.unreached, key=str)]
    return "\n".join(lines) + "\n"


def show(tallies: Sequence[Tally]) -> None:
    table = Table("wing", "killed", "survived", "not reached", "equivalent", "of", "rate")
    for one in tallies:
        numbers = one.killed, one.survived, len(one.unreached), one.equivalent, one.of
        table.add_row(one.wing.name, *map(str, numbers), f"{rate([one]):.0%}")
    console.print(table)


def main(words: Sequence[str]) -> int:
    given = dict(word.split("=", 1) for word in words if "=" in word)
    sample, seed = int(given.get("sample", SAMPLE)), int(given.get("seed", "1"))
    jobs = int(given.get("jobs", os.cpu_count() or 1))
    asked = [name for name in given.get("wing", "").split(",") if name]
    chosen = [one for one in wings() if not asked or one.name in asked]
    if not chosen:
        console.print(f"There is no wing of that name. These are: {', '.join(one.name for one in wings())}.")
        return 2
    os.chdir(ROOT)
    # A child that compiles everything anew spends most of its time on that.
    sys.dont_write_bytecode = False
    trial.read_libraries()
    tallies: list[Tally] = []
    broke = False
    REPORT.parent.mkdir(exist_ok=True)
    for wing in chosen:
        begun = time.monotonic()
        try:
            some = -(-sample // SLOWER) if wing.name.startswith("storage") else sample
            tallies.append(tried(wing, some, seed, jobs))
        except AssertionError as broken:
            console.print(f"[red]{wing.name}: nothing can be learned, {broken}[/]", markup=True)
            broke = True
            continue
        # After each: a run that is broken off has said what it found.
        REPORT.write_text(report(tallies))
        console.print(f"[dim]{wing.name}: {rate(tallies[-1:]):.0%}, {time.monotonic() - begun:.0f} s[/]")
    show(tallies)
    handlers = [one for one in tallies if not one.wing.name.startswith("storage")]
    noticed = rate(handlers)
    console.print(
        f"handlers: {noticed:.0%} of what was changed was noticed (at least {GOAL:.0%}); see {REPORT.relative_to(ROOT)}"
    )
    return 0 if noticed >= GOAL and not broke else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
