"""How long mail takes, brought together with a campaign or a piece. Reads a few rows, and counts nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from handlers.forecast import model
from handlers.forecast.model import Forecast, Outlook
from handlers.text.mixes import share_of_mailed
from storage.queries import transits
from storage.records import CampaignId, Mix, StoredCampaign, StoredPiece, Transit, WorkspaceId
from storage.statuses import MAILED, Status

if TYPE_CHECKING:
    from handlers.forecast import draws, past
    from handlers.forecast.past import Past
else:
    from handlers.forecast.later import Later

    draws, past = (Later(f"{__package__}.{name}") for name in ("draws", "past"))

#: Below so many mailed pieces a share of returns says little.
ENOUGH_MAILED: Final = 50
#: What was handed over longer ago is over.
RECENT: Final = timedelta(days=60)


@dataclass(frozen=True)
class Account:
    """How mail of an account went: read once, and learned from once, for all that is foretold."""

    known: Sequence[Transit]
    today: date
    #: How many days after a delivery it was heard of, of a sample.
    delays: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def past(self) -> Past:
        return past.learn(self.known, self.today, past.heard_by(self.delays))

    def of(self, campaign_id: CampaignId) -> Forecast | None:
        """How a campaign may go on; None before its first hand-over."""
        mine = self._by_campaign.get(campaign_id, [])
        if not mine:
            return None
        recent = max(one.handed_on for one in mine) > self.today - RECENT
        # Of what is long over only the stragglers are counted: it may as well be among what is usual.
        expected = self._expect(form_of(mine), campaign_id if recent else None)
        return model.forecast(mine, expected, self.today, int(campaign_id))

    def planned(self, campaign: StoredCampaign) -> Forecast:
        """How a campaign may go on whose first pieces are still to be handed over: on its mailing date, or today."""
        day = max(campaign.facts.send_on or self.today, self.today)
        drop = draws.Drop(day, campaign.facts.recipients or ENOUGH_MAILED, {}, {})
        form = next(iter(self.forms()), "")
        return Forecast((drop,), model.outlook(self.past, form), day, int(campaign.id))

    def forms(self) -> list[str]:
        """The formats that were mailed, the one mailed last first."""
        last: dict[str, date] = {}
        for one in self.known:
            last[one.form] = max(last.get(one.form, one.handed_on), one.handed_on)
        return sorted(last, key=lambda form: (last[form], form), reverse=True)

    def form_of(self, campaign_id: CampaignId) -> str:
        """The format of a campaign; "" before its first hand-over."""
        return form_of(self._by_campaign.get(campaign_id, []))

    @cached_property
    def _by_campaign(self) -> dict[CampaignId, list[Transit]]:
        found: dict[CampaignId, list[Transit]] = defaultdict(list)
        for one in self.known:
            found[one.campaign_id].append(one)
        return found

    def _expect(self, form: str, but: CampaignId | None) -> Outlook:
        if but is not None:
            return model.outlook(self.past, form, but)
        if form not in self._usual:
            self._usual[form] = model.outlook(self.past, form)
        return self._usual[form]

    @cached_property
    def _usual(self) -> dict[str, Outlook]:
        return {}


def account(connection: Connection, workspace_id: WorkspaceId, today: date) -> Account:
    """What is kept of the account's mail."""
    known = [_by(one, today) for one in transits.since(connection, workspace_id, today - model.HISTORY)]
    return Account(known, today, transits.delays(connection, workspace_id))


def _by(one: Transit, today: date) -> Transit:
    """Where the asker's day is behind that of the mail, what happened already did so by today."""
    handed_on = min(one.handed_on, today)
    return replace(one, handed_on=handed_on, days=min(one.days, (today - handed_on).days))


def of_campaign(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, today: date
) -> Forecast | None:
    """How a campaign may go on, as its own scans and the other campaigns say; None before its first hand-over."""
    return account(connection, workspace_id, today).of(campaign_id)


def share_returned(others: Mix) -> str | None:
    """The share of mailed pieces that usually comes back, of the other campaigns; None before there is a usual."""
    return share_of_mailed(others, Status.RETURNED) if others.of(*MAILED) >= ENOUGH_MAILED else None


def form_of(those: list[Transit]) -> str:
    """The form of most of these pieces."""
    forms: Counter[str] = Counter()
    for one in those:
        forms[one.form] += one.pieces
    return forms.most_common(1)[0][0] if forms else ""


def of_piece(connection: Connection, workspace_id: WorkspaceId, piece: StoredPiece, today: date) -> Outlook:
    """What is known of mail of this piece's form."""
    return of_form(connection, workspace_id, f"{piece.kind} {piece.format}", today)


def of_form(connection: Connection, workspace_id: WorkspaceId, form: str, today: date) -> Outlook:
    """What is known of mail of a form."""
    return model.outlook(account(connection, workspace_id, today).past, form)
