"""*View details*: paging, filtering and searching a campaign's pieces, and sending exactly those as a file."""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import IO, Any, Final

from sqlalchemy import Connection

from handlers.context import farewells
from handlers.context import intents as working
from handlers.context.intents import Hold
from handlers.context.lookups import campaign_of
from handlers.context.ports import FileToSend
from handlers.context.services import Request, Services
from handlers.pieces import exports
from handlers.pieces import view as pieces_view
from handlers.pieces.view import Listing
from handlers.text import buttons, formatting, parsing, short_answers
from handlers.text.buttons import AtStatus, OneCampaign, PiecesPage
from handlers.text.codec import read
from handlers.text.messages import Block, escape
from storage import audit
from storage.audit import Act
from storage.intents import Kind
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, PieceId, StoredCampaign, WorkspaceId
from storage.statuses import BY_WORD

#: Pieces that are read and written in one go.
HANDFUL: Final = 2000
#: Below this many bytes a file stays in memory.
SPOOLED: Final = 1_000_000


async def view_details(services: Services, request: Request, value: str) -> None:
    """Opens the list of a campaign's pieces."""
    campaign = await campaign_of(services, request, read(OneCampaign, value).campaign)
    await services.slack.open_view(request.trigger_id, await _listed(services, request, campaign, PieceFilter(), None))


async def turn_page(services: Services, request: Request, value: str) -> None:
    """The next page after a piece, the first page, or everything again."""
    campaign, only = await _shown(services, request)
    page = read(PiecesPage, value)
    only = PieceFilter() if page.every else only
    await _show(services, request, await _listed(services, request, campaign, only, page.after))


async def choose_status(services: Services, request: Request, value: str) -> None:
    """Only pieces at this status."""
    campaign, only = await _shown(services, request)
    only = replace(only, status=read(AtStatus, value).status)
    await _show(services, request, await _listed(services, request, campaign, only, None))


async def search(services: Services, request: Request) -> None:
    """Only pieces that are alike what was typed (in `request.text`)."""
    campaign, only = await _shown(services, request)
    only = replace(only, asked=parsing.unquote(parsing.clean(request.text)).removeprefix("#"))
    await _show(services, request, await _listed(services, request, campaign, only, None))


async def _shown(services: Services, request: Request) -> tuple[StoredCampaign, PieceFilter]:
    """What the modal shows. The campaign is looked up again: a value from outside is only an id."""
    campaign_id, only = pieces_view.unpacked(request.metadata)
    return await campaign_of(services, request, campaign_id), only


async def _show(services: Services, request: Request, view: Block) -> None:
    await services.slack.update_view(request.view_id, view)


async def _listed(
    services: Services, request: Request, campaign: StoredCampaign, only: PieceFilter, after: PieceId | None
) -> Block:
    def look(connection: Connection) -> Listing:
        mix = queries.mix(connection, request.workspace.id, campaign.id)
        # A status at which nothing stands would be looked for in every piece.
        nothing = only.status is not None and not mix.of(only.status)
        page = [] if nothing else piece_pages.page(
            connection, request.workspace.id, campaign.id, only, after, pieces_view.PAGE + 1
        )  # fmt: skip
        return Listing(campaign, mix, only, page, after)

    return pieces_view.details(await services.memory.read(look))


async def export(services: Services, request: Request, value: str) -> None:
    """Sends exactly what the list shows as a CSV file, in a direct message that names the page it was asked for on."""
    campaign, only = await _shown(services, request)
    payload: dict[str, Any] = {"campaign": campaign.id, "status": only.status and only.status.word, "by": request.user}
    if value == buttons.ON_RETURNS:
        payload["page"] = farewells.RETURNS
    # What was typed may be somebody's name.
    number = await working.keep(
        services, request.workspace.id, Kind.EXPORT, payload, {"asked": only.asked}, asked=request.kept
    )
    # After an interruption Slack opens no page any more; the file comes all the same.
    begun = pieces_view.export_begun(campaign.facts.name)
    shown = await services.slack.push_view(request.trigger_id, begun) if request.trigger_id else ""
    refusal = await working.begin(services, request.workspace.id, number, send_export)
    if refusal is not None and shown:
        what = farewells.file_of(f"*{escape(campaign.facts.name)}*", payload)
        await services.slack.update_view(shown, pieces_view.export_put_off(what, str(refusal)))


async def send_export(hold: Hold) -> timedelta | None:
    """Writes the file as the pieces are now, and sends it. Begun anew after an interruption."""
    services, payload, asked = hold.services, hold.intent.payload, hold.secrets().get("asked")
    campaign_id, by = CampaignId(payload["campaign"]), payload["by"]
    campaign = await services.memory.read(queries.campaign, hold.workspace_id, campaign_id)
    if campaign is None or asked is None:
        what = farewells.file_of(f"*{escape(campaign.facts.name)}*" if campaign else "a campaign that is gone", payload)
        why = "I can no longer read what you asked for: the key that sealed it is gone. " if asked is None else ""
        text = f"I couldn't send you {what}. {why}{farewells.again(payload)}"
        await hold.tell(0, lambda: services.slack.post(by, short_answers.plain(text)))
        return None
    only = PieceFilter(payload["status"] and BY_WORD[payload["status"]], asked)
    name, number = escape(campaign.facts.name), 0

    async def send() -> None:
        nonlocal number
        with tempfile.SpooledTemporaryFile(SPOOLED) as file:
            number = await _write(services, Pages(hold.workspace_id, campaign_id, only), file)
            told = f"{formatting.pieces(number)} of *{name}*, as asked for in *{farewells.page_of(payload)}*."
            back = farewells.page_of(payload) == farewells.RETURNS
            file_name, title = (f"{_slug(campaign)}{'-returns' if back else ''}.csv", "Returns" if back else "Pieces")
            await services.slack.send_file(by, FileToSend(file, file_name, f"{title} of {name}", told))

    def record_audit(connection: Connection) -> None:
        now = services.clock.now()
        subject, detail = campaign.facts.name, formatting.pieces(number)
        audit.note(connection, hold.workspace_id, by, Act.EXPORTED, now, subject=subject, detail=detail)

    await hold.tell(0, send, record_audit)
    return None


def _slug(campaign: StoredCampaign) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in campaign.facts.name.casefold())
    return "-".join(part for part in kept.split("-") if part)[:60] or f"campaign-{campaign.id}"


@dataclass(frozen=True)
class Pages:
    """Where to read the pieces of a file, a handful at a time."""

    workspace_id: WorkspaceId
    campaign_id: CampaignId
    only: PieceFilter

    def write_after(
        self, after: PieceId | None, file: io.TextIOWrapper
    ) -> Callable[[Connection], tuple[int, PieceId | None]]:
        """Writes the next handful; gives how many these were, and the last one's number."""

        def work(connection: Connection) -> tuple[int, PieceId | None]:
            found = piece_pages.page(connection, self.workspace_id, self.campaign_id, self.only, after, HANDFUL)
            exports.write_rows(file, found)
            return len(found), found[-1].id if found else None

        return work


async def _write(services: Services, pages: Pages, file: IO[bytes]) -> int:
    """Every read is short, and holds no transaction open; what moves meanwhile may be in it already, or not yet."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    exports.write_head(text)
    number, after = await services.memory.read(pages.write_after(None, text))
    while after is not None:
        more, after = await services.memory.read(pages.write_after(after, text))
        number += more
    text.detach()
    return number
