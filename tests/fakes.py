"""Stand-ins with behavior, for what tests must hold still: time."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that moves only when told, or when somebody sleeps on it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, **span: float) -> datetime:
        """Moves on by this `timedelta(**span)`."""
        self.moment += timedelta(**span)
        return self.moment

    def elapsed(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
