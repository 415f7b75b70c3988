"""Which journeys also meet rude platforms: a sample that changes by the day, or all of them on request.

A rudeness is a switch of one double, "slack:busy" or "mail:slow", or "everything_1" for all
that can be on together.
`PIECEWISE_RUDE` names one, or is "each" for every switch on every journey.
"""

import os
import random
from typing import Final

import pytest

from bot.sandbox import slack, stannp
from bot.sandbox.rude import REFUSALS
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from tests.days import DAY

#: All switches that go together, once for each way in which the mail account may refuse what it need not offer.
CROWDS: Final = {f"everything_{number}": names for number, names in enumerate(stannp.Rude.crowds(), 1)}
SLACKS: Final = tuple(f"slack:{name}" for name in slack.Rude.names())
SWITCHES: Final = (
    *SLACKS,
    *(f"mail:{name}" for name in stannp.Rude.names()),
    *CROWDS,
)
#: Accounts that tell of no piece whose it is and where it was scanned: a journey that shows names or scans, or looks for
#: a name, has nothing to show there.
NAMELESS: Final = tuple(f"mail:timeline_{status}" for status in REFUSALS)
#: Accounts that have no report of a campaign's pieces, so that *Refresh* and the dry run show what the last poll knew.
UNREPORTED: Final = tuple(f"mail:singles_{status}" for status in REFUSALS)
#: Accounts that never get to read a single piece, as if always at the limit or down: nothing is stopped unread, and what
#: may pass is waited for.
UNREAD: Final = ("mail:timeline_429", "mail:timeline_500")
#: Accounts whose scans have no dates: nobody knows how long their mail took, and when it came back only from when that was
#: heard.
UNDATED: Final = ("mail:undated_scans",)
#: A Slack that tells of nobody in which time zone they are.
ZONELESS: Final = ("slack:sparse",)
#: Accounts that tell nobody what they hold.
PENNILESS: Final = tuple(f"mail:balance_{status}" for status in REFUSALS)
#: Of a journey's tries, so many take part in the day's sample.
SHARE: Final = 0.07
#: How many times as long as among kind platforms a journey waits, and may take.
LONGER: Final = 4.0
ASKED: Final = os.environ.get("PIECEWISE_RUDE", "")


def chosen_for(metafunc: pytest.Metafunc) -> list[str]:
    """The rudenesses that this test meets, "" for a day without trouble; [""] for most."""
    exempt = {name for calm in metafunc.definition.iter_markers("calm") for name in calm.args or SWITCHES}
    # A journey that cannot meet one switch cannot meet it among others either.
    exempt |= {name for name, switches in CROWDS.items() if exempt & {*SLACKS, *(f"mail:{one}" for one in switches)}}
    able = [one for one in SWITCHES if one not in exempt]
    if ASKED:
        return able if ASKED == "each" else [one for one in able if one == ASKED]
    chance = random.Random(f"{DAY} {metafunc.definition.nodeid}")
    return ["", chance.choice(able)] if able and chance.random() < SHARE else [""]


def patience(slack_double: SlackDouble, mail: StannpDouble) -> float:
    """How often as long a person waits as among kind platforms: what answers late or has to be asked again takes longer,
    and each of a hundred calls adds to it."""
    return 1.0 if (slack_double.rude, mail.rude) == (slack.Rude(), stannp.Rude()) else LONGER


def be_rude(name: str, slack_double: SlackDouble, mail: StannpDouble) -> None:
    """Switches this rudeness on."""
    whose, _, switch = name.partition(":")
    if name in CROWDS:
        slack_double.rude, mail.rude = slack.Rude.on(*slack.Rude.names()), stannp.Rude.on(*CROWDS[name])
    elif whose == "slack":
        slack_double.rude = slack.Rude.on(switch)
    elif whose == "mail":
        mail.rude = stannp.Rude.on(switch)
