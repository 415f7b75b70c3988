"""Who works at the sandbox's company, and where they talk."""

from typing import Final

from bot.sandbox.slack import Channel, User
from storage.records import NotifyOn

ANA, BEN, DANA, GUS = "U0ANA", "U0BEN", "U0DANA", "U0GUS"
OPS: Final = "C0OPS"
PEOPLE: Final = (
    User(ANA, "Ana Ruiz", is_admin=True), User(BEN, "Ben Park"), User(DANA, "Dana Lee", is_admin=True),
    User(GUS, "Gus Novak", restricted=True),
)  # fmt: skip
PLACES: Final = (Channel(OPS, "mail-ops"), Channel("C0SALES", "sales"), Channel("C0RANDOM", "random", bot_in=False))
#: What #mail-ops asked for.
WANTED: Final = frozenset({NotifyOn.RETURNED, NotifyOn.CANCELLED, NotifyOn.WEEKLY})
