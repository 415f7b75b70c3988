"""Runs the program on a machine whose clock is wrong: `python -m tests.chaos.skewed -90 run --work` is 90 s behind."""

import sys
from datetime import UTC, datetime, timedelta

from bot.__main__ import app
from bot.app import SystemClock


def main() -> None:
    wrong = timedelta(seconds=float(sys.argv.pop(1)))
    SystemClock.now = lambda _clock: datetime.now(UTC) + wrong  # type: ignore[method-assign, assignment]
    app()


if __name__ == "__main__":
    main()
