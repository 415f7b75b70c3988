"""Whatever somebody changes by a button or a form leaves a line in the audit log, whoever's wing it is."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest

from handlers.alerts import actions as alerts
from handlers.asked import TABLE
from handlers.cancel import actions as cancelling
from handlers.context.ports import AddressCheck
from handlers.context.services import Request
from handlers.context.table import Field, Filled
from handlers.text.buttons import (
    NOTHING,
    Action,
    AlertsDo,
    AlertsForm,
    AlertsUndo,
    Form,
    Hours,
    Limit,
    News,
    OneCampaign,
    OnePiece,
    OneReturn,
    OneRow,
    PiecesFound,
    PiecesShown,
    Settled,
    Word,
)
from handlers.text.codec import write
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId, NotifyOn, PieceId
from storage.statuses import Status
from tests.builders import JANE
from tests.fakes import FakeAccounts
from tests.handlers.conftest import BEN, OPS, Office

#: What is pressed or sent, by whom, and with what; prepared as far as it must be.
Scene = Callable[[Office], Awaitable[tuple[Action | Form, Request, str | Filled]]]
SPRING: Final = CampaignId(1)
FIRST: Final = PieceId(1)
#: Changed for nobody but oneself, and so not logged.
OWN: Final = frozenset({Action.HOME_RANGE, Action.HOME_NEAREST, Action.HOME_FIRST, Action.HOME_LAST})


def of_return(action: Action, value: str) -> Scene:
    async def scene(office: Office) -> tuple[Action | Form, Request, str | Filled]:
        await office.campaign(Status.RETURNED)
        office.mail.verdict = AddressCheck(True, JANE)
        request = office.request(view_id="V1", metadata=write(OneReturn(FIRST, SPRING)))
        return action, request, value

    return scene


def plain(name: Action | Form, value: str | Filled, *statuses: Status, metadata: str = "") -> Scene:
    async def scene(office: Office) -> tuple[Action | Form, Request, str | Filled]:
        await office.campaign(*statuses or [Status.RECEIVED])
        return name, office.request(view_id="V1", metadata=metadata), value

    return scene


def decided(action: Action) -> Scene:
    async def scene(office: Office) -> tuple[Action | Form, Request, str | Filled]:
        await office.campaign(Status.RECEIVED)
        office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({"everyone"}))
        await cancelling.cancel_one(office.services, office.request(), write(OnePiece(FIRST)))
        return action, office.request(user=BEN, message_ts="1.0"), write(OneRow(1))

    return scene


async def undone(office: Office) -> tuple[Action | Form, Request, str | Filled]:
    await office.campaign(Status.DELIVERED)
    await alerts.carry_out(office.services, office.request(), write(AlertsDo("on", SPRING)))
    await alerts.carry_out(office.services, office.request(), write(AlertsDo("off", SPRING)))
    at = int((office.clock.now() - timedelta(minutes=1)).timestamp())
    return Action.ALERTS_UNDO, office.request(), write(AlertsUndo("off", at, "1:r"))


async def confirmed(office: Office) -> tuple[Action | Form, Request, str | Filled]:
    campaign = await office.campaign(Status.RECEIVED)
    await cancelling.ask_cancel_campaign(office.services, office.request(), write(OneCampaign(campaign.id)))
    return Form.CANCEL_CAMPAIGN, office.request(), Filled(office.slack.last.shown["private_metadata"], {})


RULES: Final = Filled("", {
    "cancellers": Field(chosen=write(Word("admins"))), "cancellers_people": Field(people=(BEN,)),
    "stewards": Field(chosen=write(Word("admins"))), "stewards_people": Field(), "above": Field("250"),
})  # fmt: skip
ALERTS: Final = Filled(write(AlertsForm(OPS, "")), {
    "campaign": Field(chosen=write(OneCampaign(NO_CAMPAIGN))), "digest": Field(chosen=write(Limit(9))),
    "quiet": Field(chosen=write(Hours(None, None))), "alarm": Field(chosen=write(Limit(5))),
    "wants": Field(several=(write(News(NotifyOn.RETURNED)),)),
})  # fmt: skip
SCENES: Final[dict[Action | Form, tuple[Scene, set[Act]]]] = {
    Action.RETURN_HANDLED: (of_return(Action.RETURN_HANDLED, write(Settled(FIRST, True))), {Act.HANDLED}),
    Action.RETURN_REASON: (of_return(Action.RETURN_REASON, write(Word("N"))), {Act.REASON}),
    Action.RETURN_CHECK: (of_return(Action.RETURN_CHECK, write(OnePiece(FIRST))), {Act.CHECKED}),
    Action.CANCEL_PIECE: (plain(Action.CANCEL_PIECE, write(OnePiece(FIRST))), {Act.CANCELLED}),
    Form.CANCEL_CAMPAIGN: (confirmed, {Act.CANCELLED}),
    Action.APPROVE: (decided(Action.APPROVE), {Act.APPROVED}),
    Action.DECLINE: (decided(Action.DECLINE), {Act.DECLINED}),
    Action.ERASE: (plain(Action.ERASE, write(OnePiece(FIRST))), {Act.ERASED}),
    Action.ERASE_OTHERS: (plain(Action.ERASE_OTHERS, write(PiecesFound.of([FIRST]))), {Act.ERASED}),
    Action.DETAILS_EXPORT: (
        plain(Action.DETAILS_EXPORT, NOTHING, metadata=write(PiecesShown(SPRING, None, ""))), {Act.EXPORTED},
    ),
    Action.AUDIT_EXPORT: (plain(Action.AUDIT_EXPORT, NOTHING), {Act.EXPORTED}),
    Action.NEW_WEBHOOK: (plain(Action.NEW_WEBHOOK, NOTHING), {Act.WEBHOOK}),
    Action.ALERTS_DO: (plain(Action.ALERTS_DO, write(AlertsDo("on", SPRING))), {Act.SUBSCRIBED}),
    Action.ALERTS_UNDO: (undone, {Act.SUBSCRIBED}),
    Form.RULES: (plain(Form.RULES, RULES), {Act.RULES}),
    Form.ALERTS: (plain(Form.ALERTS, ALERTS), {Act.SUBSCRIBED}),
    Form.CONNECT: (
        plain(Form.CONNECT, Filled("", {"key": Field("key-1"), "region": Field(chosen=write(Word("us")))})), {Act.CONNECTED},
    ),
    Form.WEBHOOK: (plain(Form.WEBHOOK, Filled("", {"secret": Field("a-long-secret")})), {Act.WEBHOOK}),
}  # fmt: skip


def test_everything_that_changes_something_has_its_scene_here() -> None:
    kept = {one for one, press in TABLE.actions.items() if press.kept}
    sent = {one for one, form in TABLE.forms.items() if form.kept}
    assert kept | sent <= set(SCENES), "say here what is pressed, and which line that leaves"
    assert not OWN & set(SCENES)


@pytest.mark.parametrize("name", list(SCENES), ids=str)
async def test_it_leaves_a_line_with_who_and_what(office: Office, accounts: FakeAccounts, name: Action | Form) -> None:
    scene, acts = SCENES[name]
    which, request, value = await scene(office)
    before = len(office.log())
    if isinstance(value, Filled):
        await TABLE.forms[Form(which)].handler(office.services, request, value)
    else:
        await TABLE.actions[Action(which)].handler(office.services, request, value)
    lines = office.log()[before:]
    assert acts <= {Act(act) for act, _, _ in lines}, lines
    said = " ".join(" ".join(line) for line in lines)
    assert JANE.name not in said, "the log names no recipient"
    assert JANE.address not in said
