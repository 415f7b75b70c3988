"""When mail may be expected to land, from USPS's service standards.

Source: 39 CFR 121 Appendix A (rule 90 FR 10857, in force since July 2025), contiguous 48 states, end to end:
Marketing Mail 4 to 7 days, First-Class 0 to 5. Stannp sends Marketing Mail unless First-Class was bought.
"""

from datetime import date, timedelta
from typing import Final

from storage.records import StoredCampaign

MARKETING_MAIL: Final = (4, 7)


def landing(campaign: StoredCampaign) -> tuple[date, date] | None:
    """The first and last day on which the campaign's pieces are due; None before anything was handed over."""
    if campaign.handed_over_first is None or campaign.handed_over_last is None:
        return None
    soonest, latest = MARKETING_MAIL
    first = campaign.handed_over_first.date() + timedelta(days=soonest)
    return first, campaign.handed_over_last.date() + timedelta(days=latest)


def piece_landing(handed_over: date) -> tuple[date, date]:
    """The days between which a piece handed over on this day is due."""
    soonest, latest = MARKETING_MAIL
    return handed_over + timedelta(days=soonest), handed_over + timedelta(days=latest)
