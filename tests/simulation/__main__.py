"""`make simulate`: worlds from seeds, with everything that goes wrong in them. See docs/simulation.md.

ARGS="seeds=1000 first=1 workers=2"; ARGS="only=17" tells the story of one seed (with
whole=yes without shortening it); ARGS="without=fence" takes a cure out (see `cures`), and
ARGS="theme=news" plays only the seeds whose story is about that (see `script.THEMES`). ARGS="database=postgres" plays
them on a PostgreSQL that is started for them. ARGS="until=1" ends when so many seeds broke something. Ends with 1 when
anything was broken.
"""

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from statistics import median

from tests.conftest import started
from tests.simulation.runs import Ended, Player, several, with_fixed_hashes
from tests.simulation.script import theme_of


def main() -> None:
    with_fixed_hashes("tests.simulation")
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    with ExitStack() as stack:
        url, lacking = words.get("database", ""), words.get("without", "")
        if url == "postgres":
            url = started(stack).get_uri()
        if "only" in words:
            sys.exit(tell(int(words["only"]), lacking, url, whole="whole" in words))
        first, number = int(words.get("first", 1)), int(words.get("seeds", 1000))
        seeds = [seed for seed in range(first, first + number) if words.get("theme") in (None, theme_of(seed))]
        played = several(seeds, int(words.get("workers", 2)), lacking, url)
        sys.exit(run(played, int(words.get("until", number))))


def tell(seed: int, lacking: str, url: str, *, whole: bool) -> int:
    """Prints the story of one seed; of a failing one, the shortest in which the same is broken (unless `whole`)."""
    player = Player(lacking, url)
    world = player.play(seed)
    if world.faults and not whole:
        world = player.play(seed, player.shortest(seed, world))
    print(*world.trace, f"Seed {seed}: {world.hash}, {len(world.events)} events", *world.faults, sep="\n")
    return 1 if world.faults else 0


def run(played: Iterable[Ended], until: int) -> int:
    """Says which seeds broke what, until so many did."""
    began, broken, work = time.monotonic(), 0, list[float]()
    for ended in played:
        work.append(ended.seconds)
        if ended.faults:
            broken += 1
            print(f"Seed {ended.seed}:", *ended.faults[:5], sep="\n  ", flush=True)
        if broken == until:
            break
    spent = time.monotonic() - began
    print(
        f"{len(work)} seeds in {spent:.0f} s ({1000 * median(work):.0f} ms of work for the median one), {broken} broken"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    main()
