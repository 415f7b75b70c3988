"""What `/mailstatus` answers, whatever names and numbers are in it."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from handlers.forecast.model import Due, Progress, Stand
from handlers.status import choice_view
from handlers.status import view as status_view
from handlers.text import short_answers
from handlers.text.messages import quote
from handlers.text.parsing import Range
from storage.records import (
    Mix,
    StoredCampaign,
)
from storage.statuses import Status
from tests.strategies import GENTLE, campaigns, fine, mixes, spans, standings, words_of


@given(campaign=campaigns, standing=standings)
@GENTLE
def test_a_campaigns_answer(campaign: StoredCampaign, standing: status_view.Standing) -> None:
    message = status_view.campaign_answer(campaign, standing, b"png")
    day = date(2026, 11, 9)
    due = Due(day, day, date(2026, 11, 14))
    behind = Stand(5, 0.55, 0.71, 0.6, 0.8)
    known = Progress(
        6, (due, due, due), 500, 275, 225, False, "letter <A4>", 5, 2, day, True, 4, (behind, behind), behind
    )
    fine(message, status_view.campaign_answer(campaign, standing, None, known))
    assert message.picture is not None
    # The picture's numbers are all in the words.
    for _, number in standing.mix.in_order():
        assert f"{number:,}" in message.text or not number


@given(lines=st.lists(st.builds(status_view.CampaignLine, campaigns, mixes), max_size=12), standing=standings)
@GENTLE
def test_the_accounts_answer(lines: list[status_view.CampaignLine], standing: status_view.Standing) -> None:
    fine(status_view.account_answer(lines[: status_view.LISTED], len(lines), standing, None))


@given(asked=words_of, found=st.lists(campaigns, min_size=1, max_size=12), span=spans)
@GENTLE
def test_choices_and_refusals(asked: str, found: list[StoredCampaign], span: Range) -> None:
    fine(
        choice_view.pick_campaign(quote(asked), found, span),
        choice_view.no_campaign(quote(asked), found[:3], found, [], span),
        choice_view.no_campaign(quote(asked), [], found, [], span),
    )
    fine(
        short_answers.refusal(short_answers.no_campaign(asked, [one.facts.name[:80] for one in found[:3]])),
        short_answers.refusal(short_answers.no_piece(asked)),
    )
    fine(
        short_answers.help_status(found[0].facts.name[:200]),
        short_answers.help_track(asked[:200]),
        short_answers.help_alerts(),
        short_answers.failed("abc"),
    )


def test_an_estimate_is_called_one_and_unscanned_mail_is_not_called_lost() -> None:
    assert "estimate" in status_view.caveats(Mix({Status.DELIVERED: 5}))
    assert "doesn't mean they're lost" in status_view.caveats(Mix({Status.DELIVERED: 5, Status.HANDED_OVER: 1}))
    assert "first scan" in status_view.caveats(Mix({Status.HANDED_OVER: 5}))
    assert status_view.caveats(Mix({Status.RECEIVED: 5})) == ""


def test_what_other_is_is_named_by_the_words_that_were_met() -> None:
    some = Mix({Status.RECEIVED: 5}, 3)
    assert status_view.caveats(some) == "“Other” is a status word that I don't know yet."
    assert "a status word that I don't know yet: “On *hold".replace("*", "∗") in status_view.caveats(
        some, ["On *hold*"]
    )
    said = status_view.caveats(some, ["a", "b", "c", "d<!here>"])
    assert said == "“Other” is status words that I don't know yet: “a”, “b”, “c” and 1 more."
