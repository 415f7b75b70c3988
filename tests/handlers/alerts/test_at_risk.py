"""A day in homes that becomes unlikely: when a channel is warned, how often, and when that is looked at."""

from datetime import date, timedelta

import pytest

from handlers.alerts import risks
from handlers.errors import NotInChannel, SlackDown, Trouble
from storage import privacy
from storage.records import CampaignStage, ChannelSettings
from storage.statuses import Status
from tests.handlers.alerts.test_digests import DIGEST, look, subscribed, typed
from tests.handlers.conftest import OPS, Office

SOON, LATE = "Nov 3", "Dec 30"


async def with_a_day(office: Office, day: str = SOON, settings: ChannelSettings = DIGEST) -> None:
    """Mail on its way that is to be in homes by this day, in a channel that had its first look and its digest."""
    await office.campaign(*[Status.IN_TRANSIT] * 60)
    await subscribed(office, settings=settings)
    await look(office)
    await typed(office, f"Spring lapsed in home by {day}")


def warnings(office: Office) -> list[str]:
    return [one.text for one in office.slack.of("post") if "is at risk" in one.text]


async def test_a_channel_is_warned_once_of_a_day_and_again_of_another(office: Office) -> None:
    await with_a_day(office)
    for hours in (0, 0, 1, 3):
        office.clock.pass_time(hours=hours)
        await look(office)
        assert len(warnings(office)) == 1, f"{hours} hours later"
    await typed(office, "Spring lapsed in home by Nov 4")
    await look(office)
    assert len(warnings(office)) == 2
    assert "by Nov 4, 2026" in warnings(office)[1]


async def test_a_campaign_that_is_called_complete_while_its_mail_is_under_way_is_at_risk(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 60, stage=CampaignStage.COMPLETE)
    await subscribed(office, settings=DIGEST)
    await look(office)
    await typed(office, f"Spring lapsed in home by {SOON}")
    await look(office)
    assert len(warnings(office)) == 1


async def test_who_is_warned_of_a_campaign_was_shown_it(office: Office) -> None:
    await with_a_day(office)
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == []
    await look(office)
    assert len(office.read(privacy.shown_campaigns, office.workspace.id, OPS)) == 1


@pytest.mark.parametrize(("trouble", "number"), [(SlackDown(), 1), (NotInChannel(), 0)])
async def test_a_warning_that_slack_does_not_take_now_comes_later_and_one_that_it_never_takes_does_not(
    office: Office, trouble: Trouble, number: int
) -> None:
    await with_a_day(office)
    office.slack.fail("post", trouble)
    await look(office)
    assert warnings(office) == []
    await look(office)
    assert len(warnings(office)) == number


async def test_in_quiet_hours_nobody_is_warned(office: Office) -> None:
    await with_a_day(office, settings=ChannelSettings("UTC", None, (14, 16), 5))
    await look(office)
    office.clock.pass_time(hours=1, minutes=59)
    await look(office)
    assert warnings(office) == []
    office.clock.pass_time(minutes=1)
    await look(office)
    assert len(warnings(office)) == 1


async def test_a_day_is_looked_at_once_an_hour_and_as_soon_as_it_is_set(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[dict[str, list[str | int]]] = []

    def found(days: dict[str, list[str | int]], *_: object) -> list[risks.Risk]:
        looked.append(days)
        return []

    monkeypatch.setattr(risks, "found", found)
    await with_a_day(office, LATE)
    for minutes, number in ((0, 1), (30, 1), (29, 1), (1, 2), (60, 3)):
        office.clock.pass_time(minutes=minutes)
        await look(office)
        assert len(looked) == number
    await typed(office, "Spring lapsed in home by Dec 31")
    await look(office)
    assert [day for day, _ in looked[-1].values()] == ["2026-12-31"]
    await typed(office, "Spring lapsed in home by off")
    office.clock.pass_time(hours=2)
    await look(office)
    assert len(looked) == 4


async def test_a_day_that_is_over_warns_of_nothing(office: Office) -> None:
    await with_a_day(office, "Nov 5", ChannelSettings("UTC", None, (14, 13), 5))
    office.clock.moment += timedelta(days=4) - timedelta(minutes=30)
    assert office.clock.now().date() == date(2026, 11, 6)
    await look(office)
    assert warnings(office) == []


@pytest.mark.parametrize("looked", [False, True])
async def test_a_day_that_is_set_before_the_first_look_makes_no_old_returns_news_and_later_hides_none(
    office: Office, looked: bool
) -> None:
    back = [Status.RETURNED] * 30
    await office.campaign(*([Status.IN_TRANSIT] * 30 if looked else back), *[Status.IN_TRANSIT] * 30)
    await subscribed(office, settings=ChannelSettings("UTC", None, None, 5))
    if looked:
        await look(office)
    await typed(office, f"Spring lapsed in home by {LATE}")
    if looked:
        await office.campaign(*back, *[Status.IN_TRANSIT] * 30)
    await look(office)
    alarms = [one.text for one in office.slack.of("post") if "came back" in one.text]
    assert len(alarms) == looked
