"""`make simulate`: worlds from seeds, with everything that goes wrong in them. See docs/simulation.md.

ARGS="seeds=1000 first=1 workers=2"; ARGS="only=17" tells the story of one seed. Ends with 1 when anything was broken.
"""

import sys
import time

from tests.simulation.runs import Player, several, with_fixed_hashes


def main() -> None:
    with_fixed_hashes("tests.simulation")
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if "only" in words:
        sys.exit(tell(int(words["only"])))
    first, number = int(words.get("first", 1)), int(words.get("seeds", 1000))
    sys.exit(run(range(first, first + number), int(words.get("workers", 2))))


def tell(seed: int) -> int:
    """Prints the story of one seed."""
    world = Player().play(seed)
    print(*world.trace, f"Seed {seed}: {world.hash}", *world.faults, sep="\n")
    return 1 if world.faults else 0


def run(seeds: range, workers: int) -> int:
    """Plays the seeds, and says which of them broke what."""
    began, broken, work = time.monotonic(), 0, 0.0
    for ended in several(seeds, workers):
        work += ended.seconds
        if ended.faults:
            broken += 1
            print(f"Seed {ended.seed}:", *ended.faults[:5], sep="\n  ", flush=True)
    spent = time.monotonic() - began
    print(f"{len(seeds)} seeds in {spent:.0f} s ({1000 * work / len(seeds):.0f} ms of work each), {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    main()
