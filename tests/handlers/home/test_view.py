"""Home, whatever names and numbers are in it."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from handlers.home import view as home_view
from handlers.status import view as status_view
from tests.strategies import (
    GENTLE,
    campaigns,
    fine,
    mixes,
    standings,
)


@GENTLE
@given(
    standings,
    st.lists(st.builds(status_view.CampaignLine, campaigns, mixes), max_size=99),
    st.integers(0, 2),
    st.booleans(),
)
def test_home(
    standing: status_view.Standing, lines: Sequence[status_view.CampaignLine], page: int, pictured: bool
) -> None:
    address = "https://mail.example/pictures/x.png" if pictured else ""
    page = min(page, max(len(lines) - 1, 0) // home_view.PAGE)
    here = lines[page * home_view.PAGE : (page + 1) * home_view.PAGE]
    report = home_view.Report(standing, here, len(lines), "all", page, 3, address, note="<!here>")
    shown = home_view.home(report)
    fine(shown)
    for status_, number in standing.mix.in_order():
        # Every number of the picture stands in words beside it.
        assert not number or f"{number:,}" in str(shown), status_
    fine(home_view.home(home_view.Report(standing, [], 0, "2026-11-01..2026-11-30", known=False)))
