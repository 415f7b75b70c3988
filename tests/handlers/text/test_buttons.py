"""What a button carries is read back."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.text import buttons
from handlers.text.parsing import Range
from storage.records import (
    CampaignId,
)
from tests.strategies import ids, spans


@given(campaign_id=st.none() | ids.map(CampaignId), span=spans)
def test_a_buttons_value_is_read_back(campaign_id: CampaignId | None, span: Range) -> None:
    assert buttons.carried(buttons.carry(campaign_id, span.days)) == (campaign_id, span)
