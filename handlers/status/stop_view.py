"""What is said to who typed that a campaign is to stop: typing stops nothing, the button does, where there is one."""

import re
from typing import Final

from handlers.status.view import may_offer_cancel
from handlers.text import formatting
from storage.records import Mix, Money, StoredCampaign, Workspace
from storage.statuses import CANCELLABLE, Status

#: Somebody else's approval is named, too.
APPROVAL: Final = re.compile(r"\b(?:approv\w*|second (?:person|admin)|sign[- ]?off)\b", re.IGNORECASE)
ALONE: Final = "Nobody else has to approve it; an admin can ask for that under *Settings* in my *Home*."


def not_stopped(campaign: StoredCampaign, mix: Mix, typed: str, workspace: Workspace, *, offered: bool) -> list[str]:
    """In sentences, the first of which is read alone. `mix`: of all its pieces; `offered`: there is a button."""
    if offered and may_offer_cancel(campaign, mix):
        number = mix.of(*CANCELLABLE)
        can = f": {formatting.count(number)} of {formatting.pieces(mix.total)} still can be" if number else ""
        press = "Press *Cancel…* below: it shows what that saves, and asks before anything happens."
        return [f"Nothing was stopped yet{can}.", press, *_approval(workspace, typed)]
    cancelled = mix.of(Status.CANCELLED)
    if cancelled and cancelled == mix.total:
        return ["Nothing is left to stop: all of it is cancelled already."]
    if cancelled:
        done = f"{formatting.count(cancelled)} {'is' if cancelled == 1 else 'are'} cancelled already"
        return [f"Nothing more can be stopped: {done}, and it's too late for the rest."]
    return ["Nothing was stopped: none of these pieces can be cancelled anymore."]


def _approval(workspace: Workspace, typed: str) -> list[str]:
    """Whether someone else must approve it; where nobody has to, for who named that."""
    above = workspace.rules.approval_above
    if above is None:
        return [ALONE] if APPROVAL.search(typed) else []
    from_ = f"Above {formatting.money(Money(above, workspace.currency))} someone" if above else "Someone"
    return [f"{from_} else must approve it first."]
