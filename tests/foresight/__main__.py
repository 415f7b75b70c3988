"""`make foresight`: foretells made-up mail in some thirty worlds, and prints how good that was as tables in Markdown.

ARGS="seeds=40 only=December,rare". Worlds that nobody looked at while the model was made stand apart, marked with *.
"""

import sys
from statistics import fmean

from tests.foresight.judge import judge, row
from tests.foresight.worlds import WORLDS

HEADS = ("coverage", "oracle", "width", "score", "least", "correlation", "bias", "stale", "falling", "cost")
FORMS = ("{:.0f}%", "{:.0f}%", "{:.2f}", "{:.2f}", "{:.2f}", "{:+.2f}", "{:+.1f}", "{:.0f}%", "{:.0f}", "{:.0f}")
SEEDS = 40


def line(name: str, numbers: dict[str, float]) -> str:
    cells = [form.format(numbers[head]) for head, form in zip(HEADS, FORMS, strict=True)]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    words = dict(word.partition("=")[::2] for word in sys.argv[1:])
    seeds, only = int(words.get("seeds", SEEDS)), words.get("only", "").split(",")
    worlds = [one for one in WORLDS if any(word in one.name for word in only)]
    found = []
    for world in worlds:
        found.append((world, [row(world, tally) for tally in judge(world, seeds)]))
        print(f"{world} …", file=sys.stderr, flush=True)
    for place, when in enumerate(("At the start", "Under way")):
        for tuned, which in ((True, "worlds that the model was made with"), (False, "worlds never looked at before")):
            rows = [(str(world), both[place]) for world, both in found if world.tuned is tuned]
            if not rows:
                continue
            print(f"\n{when}, {which} ({seeds} campaigns each):\n")
            print("| world | " + " | ".join(HEADS) + " |")
            print("|---" * (len(HEADS) + 1) + "|")
            for name, numbers in rows:
                print(line(name, numbers))
            print(line("**mean**", {head: fmean(numbers[head] for _, numbers in rows) for head in HEADS}))


if __name__ == "__main__":
    main()
