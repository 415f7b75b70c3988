"""Sixty more of what people type, written down later, by the same rules as `typed`: see there."""

from datetime import date, timedelta
from typing import Final

from tests.journeys.typed import ALL, ANY

Lines = list[tuple[str, str, object]]


def status_lines(today: date) -> Lines:
    """Behind `/mailstatus`: (typed, campaigns, days)."""
    day = timedelta(days=1)
    return [
        ("cost", "", ANY),
        ("returns", "", ANY),
        ("spend", "", ANY),
        ("who came back and why?", "returns", ANY),
        ("where is our mail?", "", ANY),
        ("where's my mail at", "", ANY),
        ("how much did we spend", "", ANY),
        ("how much have we spent this month?", "", ANY),
        ("what came back this week", "returns", ANY),
        ("is anything late?", "", ANY),
        ("any returns?", "returns", ANY),
        ("what's still out there", "", ANY),
        ("did the spring lapsed go out", "222", ANY),
        ("has Spring lapsed landed yet?", "222", ANY),
        ("when will spring lapsed arrive?", "222", ANY),
        ("holiday cards", "223", ANY),
        ("the fall one", "221", ANY),
        ("Fall Catalog - last 30 days", "221", (today - 29 * day, today)),
        ("fall catalog, last week", "221", ANY),
        ("spring lapsed pls!!", "222", ANY),
        ("stop holiday postcards", "223", ANY),
        ("pie for spring lapsed", "222", ANY),
        ("returns for fall catalog", "221", ANY),
        ("oreillys", "232", ANY),
        ("win back letters", "233", ANY),
        ("last 14 days", "", (today - 13 * day, today)),
        ("yesterday", "", (today - day, today - day)),
        ("everything ever", "", ALL),
        ("show me all campaigns please", "", ANY),
        ("holiday vs fall", "223+221", ANY),
        ("how much is left in our account?", "", ANY),
        ("is Spring lapsed better than Holiday postcards?", "222+223", ANY),
        ("when will Spring lapsed land?", "222", ANY),
        ("why is spring lapsed late?", "222", ANY),
        ("where is the spring lapsed mailer right now?", "222", ANY),
        ("has fall catalog been delivered yet?", "221", ANY),
        ("any news on the win back letters?", "233", ANY),
        ("where's my stuff", "", ANY),
        ("what's coming back?", "returns", ANY),
        ("whats coming back", "returns", ANY),
        ("which pieces were returned?", "returns", ANY),
        ("what's arriving tomorrow", "", ANY),
        ("are we on track?", "", ANY),
        ("what's left to deliver?", "", ANY),
        ("how's fall catalog coming along?", "221", ANY),
        ("is spring lapsed done?", "222", ANY),
    ]


TRACK_LINES: Final[list[tuple[str, str]]] = [
    ("did Jane Smithfield get hers?", "jane"),
    ("Jane S", "jane"),
    ("J Smithfield", "jane"),
    ("smithfield austin", "jane"),
    ("austin tx 78701", "jane"),
    ("1234 main", "jane"),
    ("mailpiece no. {jane}", "jane"),
    ("OBrien", "sean"),
    ("sean obrien denver", "sean"),
    ("77 N Oak", "sean"),
    ("garcia lopez", "maria"),
    ("acme widgets portland", "maria"),
    ("the one to Wendys Diner", "tomas"),
    ("St Marys Rd chicago", "tomas"),
    ("P.O. Box 1199", "ann"),
    ("was Bluebird and Sons returned?", "ann"),
    ("de shawn washington", "deshawn"),
    ("2200 East Sunset Parkway", "deshawn"),
    ("obrien", "sean"),
    ("where is Sean O'Brien's letter?", "sean"),
    ("everything for DeShawn", "deshawn"),
]


ALERT_LINES: Final[list[tuple[str, str, str]]] = [
    #: (how it stands before, typed, how it stands after); "?": told in words, "form": the settings open.
    ("", "please turn on alerts for this channel", "0"),
    ("", "notify us when mail comes back", "0"),
    ("", "sign me up", "0"),
    ("", "subscribe to spring lapsed", "222"),
    ("", "tell us about Fall catalog", "221"),
    ("0", "shut up", ""),
    ("0", "stop it please", ""),
    ("0", "no more alerts", ""),
    ("0", "be quiet until tomorrow", "0 muted"),
    ("0", "mute for an hour", "0 muted"),
    ("0 muted", "turn it back on", "0"),
    ("0", "what are we subscribed to?", "?"),
    ("0", "why did #sales get nothing?", "there"),
    ("0", "are alerts on?", "?"),
    ("0", "what's on?", "?"),
    ("0", "how do I turn this off?", ""),
    ("0", "stop for today", "0 muted"),
    ("0", "no weekend alerts", "0 muted"),
    ("222", "stop telling us about spring lapsed", ""),
    ("", "only tell us about fall catalog", "221"),
    ("0 muted", "unpause", "0"),
]
