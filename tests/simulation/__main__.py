"""`make simulate`: worlds from seeds, with everything that goes wrong in them. See docs/simulation.md.

ARGS="seeds=1000 first=1 workers=2"; ARGS="only=17" tells the story of one seed (with
whole=yes without shortening it); ARGS="without=fence" takes a cure out (see `cures`), and
ARGS="theme=news" plays only the seeds whose story is about that (see `script.THEMES`). Ends with 1 when anything was broken.
"""

import sys
import time

from tests.simulation.runs import Player, several, with_fixed_hashes
from tests.simulation.script import theme_of


def main() -> None:
    with_fixed_hashes("tests.simulation")
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if "only" in words:
        sys.exit(tell(int(words["only"]), words.get("without", ""), "whole" in words))
    first, number = int(words.get("first", 1)), int(words.get("seeds", 1000))
    seeds = [seed for seed in range(first, first + number) if words.get("theme") in (None, theme_of(seed))]
    sys.exit(run(seeds, int(words.get("workers", 2)), words.get("without", "")))


def tell(seed: int, lacking: str, whole: bool) -> int:
    """Prints the story of one seed; of a failing one, the shortest in which the same is broken (unless `whole`)."""
    player = Player(lacking)
    world = player.play(seed)
    if world.faults and not whole:
        world = player.play(seed, player.shortest(seed, world))
    print(*world.trace, f"Seed {seed}: {world.hash}, {len(world.events)} events", *world.faults, sep="\n")
    return 1 if world.faults else 0


def run(seeds: list[int], workers: int, lacking: str) -> int:
    """Plays the seeds, and says which of them broke what."""
    began, broken, work = time.monotonic(), 0, 0.0
    for ended in several(seeds, workers, lacking):
        work += ended.seconds
        if ended.faults:
            broken += 1
            print(f"Seed {ended.seed}:", *ended.faults[:5], sep="\n  ", flush=True)
    spent = time.monotonic() - began
    print(f"{len(seeds)} seeds in {spent:.0f} s ({1000 * work / len(seeds):.0f} ms of work each), {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    main()
