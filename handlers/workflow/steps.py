"""What other programs in Slack ask for: steps of workflows, and links to the dashboard that somebody posts."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from handlers.context import asker, matching
from handlers.context import intents as working
from handlers.context.intents import Hold
from handlers.context.services import Request, Services
from handlers.errors import Refusal, SlackRefused
from handlers.status import answers
from handlers.text import formatting, parsing, short_answers
from handlers.text.mixes import counts_text
from handlers.text.parsing import ALL_TIME
from handlers.track import view as track_view
from storage import workspaces
from storage.intents import Kind
from storage.queries import mail as queries
from storage.records import ChannelId, Mix, StoredCampaign, UserId, Workspace
from storage.statuses import FINAL, Status

log = structlog.get_logger()

#: Links of one message that are looked at.
LINKS: Final = 5


class StepLost(Refusal):
    """I no longer know what this step was to do. Please run this workflow again."""


async def campaign_step(services: Services, request: Request, inputs: Mapping[str, str]) -> dict[str, str]:
    """*Get campaign status*: the numbers of a campaign, for the next step. Raises Refusal for an unknown one."""
    asked = parsing.unquote(parsing.clean(inputs.get("campaign", "")))
    found = await services.memory.read(matching.match, request.workspace.id, asked)
    if len(found.found) != 1 or not found.sure:
        raise Refusal(short_answers.no_campaign(asked, [one.facts.name for one in found.found[:3]] or found.near))
    campaign = found.found[0]
    mix = await services.memory.read(queries.mix, request.workspace.id, campaign.id)
    return _numbers(campaign, mix)


def _numbers(campaign: StoredCampaign, mix: Mix) -> dict[str, str]:
    return {
        "name": campaign.facts.name,
        "pieces": str(mix.total),
        "delivered": str(mix.of(Status.DELIVERED)),
        "returned": str(mix.of(Status.RETURNED)),
        "summary": f"{campaign.facts.name}: {formatting.pieces(mix.total)}. {counts_text(mix)}.",
    }


async def piece_step(services: Services, request: Request, inputs: Mapping[str, str]) -> dict[str, str]:
    """*Track a piece*: where it is, with a shortened recipient. Raises Refusal for an unknown one."""
    asked = parsing.unquote(parsing.clean(inputs.get("piece", ""))).removeprefix("#")
    found = await services.memory.read(queries.find_pieces, request.workspace.id, asked, 1) if asked else []
    if not found or found[0].ref != asked:
        raise Refusal(short_answers.no_piece(asked))
    piece = found[0]
    where = track_view.plain_standing(piece)
    moved = f"{piece.status_at:%Y-%m-%d}" if piece.status_at else ""
    return {
        "status": where,
        "is_final": "yes" if piece.status in FINAL else "no",
        "moved_on": moved,
        "summary": f"Piece {piece.ref} ({track_view.recipient_briefly(piece)}): {where}"
        + (f" on {moved}." if moved else "."),
    }


STEPS: Final = {"get_campaign_status": campaign_step, "track_a_piece": piece_step}


async def keep_step(
    services: Services, workspace: Workspace, step: str, inputs: Mapping[str, str], execution: str, token: str
) -> int:
    """Writes the step down before Slack is answered; the same again is the same. What was put in may name people, and
    the token ends the step: both are sealed."""
    payload, secrets = {"step": step, "execution": execution}, {"inputs": dict(inputs), "token": token}
    return await working.keep(services, workspace.id, Kind.STEP, payload, secrets, name=f"step:{execution}")


async def begin_step(services: Services, request: Request, number: int) -> None:
    """Does a step that was kept, now if that can be."""
    await working.begin(services, request.workspace.id, number, finish_step)


async def finish_step(hold: Hold) -> timedelta | None:
    """Does a step, and tells Slack its outputs, or in words why it could not be done."""
    services, payload, secrets = hold.services, hold.intent.payload, hold.secrets()
    workspace = await services.memory.read(workspaces.by_id, hold.workspace_id)
    # The workspace's own token may end a step as well (docs.slack.dev: functions.completeSuccess).
    execution, token = payload["execution"], secrets.get("token") or None
    request = Request(workspace, UserId(""), ChannelId(""))

    step, inputs = STEPS.get(payload["step"]), secrets.get("inputs")

    async def send() -> None:
        try:
            try:
                if step is None or inputs is None:
                    raise StepLost
                outputs = await step(services, request, inputs)
            except Refusal as refusal:
                await services.slack.fail_step(execution, token, str(refusal))
            else:
                await services.slack.complete_step(execution, token, outputs)
        except SlackRefused as refusal:
            # It is over there: ended by hand, by its own time, or by us before an answer was lost.
            log.info("step.refused", code=refusal.code)

    await hold.tell(0, send)
    return None


async def unfurl(services: Services, request: Request, urls: Sequence[str]) -> None:
    """Shows a campaign's numbers under a link to it in the platform's dashboard."""
    if request.guest or request.workspace.connected_at is None:
        return
    shown = {}
    today = await asker.today_of(services, request)
    refs = {url: _campaign_ref(services, url) for url in urls[:LINKS]}
    known = await services.memory.read(queries.campaigns_by_ref, request.workspace.id, [*refs.values()])
    for url, ref in refs.items():
        campaign = known.get(ref)
        if campaign is not None:
            message = await answers.campaign_message(services, request, campaign, ALL_TIME, today)
            shown[url] = message.without_picture()
    if shown:
        await services.slack.unfurl(request.channel, request.message_ts, shown)


def _campaign_ref(services: Services, url: str) -> str:
    """The campaign that a link to the dashboard is about; "" for any other link."""
    base = services.platform.dashboard("")
    if not url.startswith(base):
        return ""
    match = re.match(r"[0-9]+", url[len(base) :])
    return match[0] if match else ""
