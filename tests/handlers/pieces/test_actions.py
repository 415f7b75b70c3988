"""*View details* and its file: what is shown is what is sent."""

import csv
import io
from typing import Any

import pytest

from handlers.errors import FileRefused, MessageGone, Outdated, SlackBusy, SlackRefused
from handlers.pieces import actions
from handlers.pieces import view as pieces_view
from handlers.pieces.table import TABLE
from handlers.text.buttons import ON_RETURNS, Action, AtStatus, OneCampaign, PiecesPage
from handlers.text.codec import write
from storage.audit import Act
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, StoredCampaign
from storage.statuses import Status
from tests.handlers.conftest import ANA, Office

R, D = Status.RECEIVED, Status.DELIVERED


def shown(office: Office) -> str:
    return office.slack.last.text


def metadata(campaign: StoredCampaign, only: PieceFilter | None = None) -> str:
    return pieces_view.packed(campaign.id, only or PieceFilter())


async def test_the_list_opens_with_the_first_page(office: Office) -> None:
    campaign = await office.campaign(*[D] * (pieces_view.PAGE + 1))
    await actions.view_details(office.services, office.request(), write(OneCampaign(campaign.id)))
    assert (office.slack.last.way, office.slack.last.place) == ("open", "T1")
    assert "1001" in shown(office)
    assert str(1001 + pieces_view.PAGE) not in shown(office)
    with pytest.raises(Outdated):
        await actions.view_details(office.services, office.request(), write(OneCampaign(CampaignId(99))))


async def test_pages_are_turned_and_everything_is_shown_again(office: Office) -> None:
    campaign = await office.campaign(*[D] * (pieces_view.PAGE + 1), R)
    request = office.request(view_id="V1", metadata=metadata(campaign, PieceFilter(D)))
    after = office.piece(str(1000 + pieces_view.PAGE)).id
    await actions.turn_page(office.services, request, write(PiecesPage(after)))
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    assert str(1001 + pieces_view.PAGE) in shown(office)
    assert "`1001`" not in shown(office)
    await actions.turn_page(office.services, request, write(PiecesPage()))
    assert "1001" in shown(office)
    await actions.turn_page(office.services, request, write(PiecesPage(every=True)))
    assert office.slack.last.shown["private_metadata"] == metadata(campaign)
    with pytest.raises(Outdated):
        await actions.turn_page(office.services, office.request(metadata="x"), write(PiecesPage()))


async def test_a_status_at_which_nothing_stands_shows_nothing(office: Office) -> None:
    campaign = await office.campaign(D, R)
    request = office.request(view_id="V1", metadata=metadata(campaign))
    await actions.choose_status(office.services, request, write(AtStatus(R)))
    assert "1002" in shown(office)
    assert "1001" not in shown(office)
    await actions.choose_status(office.services, request, write(AtStatus(Status.RETURNED)))
    assert "1001" not in shown(office)
    await actions.choose_status(office.services, request, write(AtStatus(None)))
    assert "1001" in shown(office)


async def test_a_search_keeps_the_status_and_forgets_the_page(office: Office) -> None:
    campaign = await office.campaign(D, D, R)
    request = office.request('"#1002"', view_id="V1", metadata=metadata(campaign, PieceFilter(D)))
    await actions.search(office.services, request)
    assert office.slack.last.shown["private_metadata"] == metadata(campaign, PieceFilter(D, "1002"))
    assert "1002" in shown(office)
    assert "1001" not in shown(office)


async def export(
    office: Office, campaign: StoredCampaign, only: PieceFilter | None = None, **facts: Any
) -> list[dict[str, str]]:
    """The rows of the file that comes."""
    await actions.export(office.services, office.request(metadata=metadata(campaign, only), **facts), "")
    if not office.slack.files:
        return []
    user, _, raw = office.slack.files[-1]
    assert user == ANA
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("handful", [1, 2, 3, 100])
async def test_the_file_holds_exactly_what_is_shown(
    office: Office, monkeypatch: pytest.MonkeyPatch, handful: int
) -> None:
    monkeypatch.setattr(actions, "HANDFUL", handful)
    campaign = await office.campaign(D, R, D)
    assert [row["id"] for row in await export(office, campaign)] == ["1001", "1002", "1003"]
    assert [row["id"] for row in await export(office, campaign, PieceFilter(D))] == ["1001", "1003"]
    assert [row["id"] for row in await export(office, campaign, PieceFilter(asked="1003"))] == ["1003"]
    assert office.log()[-2] == (Act.EXPORTED, "Spring lapsed", "2 pieces")
    assert "2 pieces of *Spring lapsed*, as asked for in *View details*." in office.slack.files[1][1].comment
    assert office.slack.files[0][1].filename == "spring-lapsed.csv"


async def test_a_file_of_returns_is_named_so(office: Office) -> None:
    campaign = await office.campaign(Status.RETURNED)
    request = office.request(metadata=metadata(campaign, PieceFilter(Status.RETURNED)))
    await actions.export(office.services, request, ON_RETURNS)
    assert office.slack.files[0][1].filename == "spring-lapsed-returns.csv"
    assert office.slack.files[0][1].title == "Returns of Spring lapsed"


@pytest.mark.parametrize(
    ("name", "slug"), [("Spring: lapsed!", "spring-lapsed"), ("Ünï", "n"), ("🎄", "campaign-1"), ("x" * 99, "x" * 60)]
)
async def test_a_file_is_named_for_its_campaign(office: Office, name: str, slug: str) -> None:
    assert actions._slug(await office.campaign(D, name=name)) == slug


async def test_a_file_that_slack_does_not_take_now_is_said_to_come_later(office: Office) -> None:
    campaign = await office.campaign(D)
    office.slack.fail("send_file", SlackRefused("no room"))
    assert await export(office, campaign) == []
    assert [one.way for one in office.slack.said] == ["push", "update"]
    assert "no room" in shown(office)
    office.slack.fail("send_file", SlackBusy())
    await export(office, campaign)
    assert office.slack.last.way == "push", "that passes by itself"


async def test_a_file_that_does_not_come_is_named_with_its_page_and_what_to_do(office: Office) -> None:
    campaign = await office.campaign(Status.RETURNED)
    office.slack.fail("send_file", FileRefused())
    request = office.request(metadata=metadata(campaign, PieceFilter(Status.RETURNED)))
    await actions.export(office.services, request, ON_RETURNS)
    said = shown(office)
    assert "the returns of *Spring lapsed* as a file" in said
    assert "Ask a workspace admin whether apps may add files" in said
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0, made_at = 0"))
    office.slack.fail("send_file", FileRefused())
    from handlers import work

    await work.resume(office.services, office.workspace.id, 1)
    assert "the returns of Spring lapsed as a file" in office.slack.last.text
    assert "Open *Returns* and export it again." in office.slack.last.text


async def test_after_an_interruption_no_page_is_opened(office: Office) -> None:
    campaign = await office.campaign(D)
    assert len(await export(office, campaign, trigger_id="")) == 1
    office.slack.fail("send_file", SlackRefused())
    await export(office, campaign, trigger_id="")
    assert office.slack.said == []


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (
            "key",
            "the pieces of *Spring lapsed* as a file. I can no longer read what you asked for: the key that sealed",
        ),
        ("campaign", "the pieces of a campaign that is gone as a file. Open *View details* and export it again."),
    ],
)
async def test_a_file_whose_request_cannot_be_read_any_more_is_asked_for_anew(
    office: Office, gone: str, said: str
) -> None:
    from handlers import work

    campaign = await office.campaign(D)
    office.slack.fail("send_file", MessageGone())
    await export(office, campaign)
    if gone == "key":
        office.policy(sealing_keys=("x" * 43 + "=",))
    else:
        office.write(lambda c: c.exec_driver_sql("DELETE FROM campaigns"))
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
    await work.resume(office.services, office.workspace.id, 1)
    assert (office.slack.last.way, office.slack.last.place, office.slack.files) == ("post", ANA, [])
    assert said in office.slack.last.text
    assert office.slack.last.text.endswith("Open *View details* and export it again.")


def test_pages_are_shown_in_turn_and_a_file_is_kept() -> None:
    assert {one for one, press in TABLE.actions.items() if press.kept} == {Action.DETAILS_EXPORT}
