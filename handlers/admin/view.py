"""The workspace's settings and its audit log, as people read them."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from handlers.errors import Refusal
from handlers.text import formatting, rights
from handlers.text.buttons import NOTHING, Action, Form, OneRow, PiecesFound, Word
from handlers.text.codec import write
from handlers.text.messages import (
    Block,
    actions,
    button,
    confirmation,
    context,
    escape,
    input_block,
    modal,
    option,
    section,
    select,
)
from storage.audit import Entry
from storage.queries.search import COUNTED
from storage.records import PieceId, Rules

WHO: Final = {"admins": rights.ADMINS, "everyone": rights.EVERYONE, "named": "Only these people"}
#: A channel in a line of the log.
CHANNEL: Final = re.compile(r"channel ([CGD][A-Z0-9]+)")
MOST: Final = Decimal(1_000_000_000)


class AmountRefused(Refusal):
    """The amount must be a number like 250 or 1000.50, without a currency; leave it empty for none."""


def form(rules: Rules, usual: frozenset[str], currency: str, note: str = "", amount: str | None = None) -> Block:
    """The workspace's settings. `usual`: who may cancel while nobody chose."""
    cancellers = usual if rules.cancellers is None else rules.cancellers
    held = str(rules.approval_above) if rules.approval_above is not None else ""
    held = held if amount is None else amount
    sum_: Block = {"type": "plain_text_input", "action_id": "above", "max_length": 20}
    blocks = [
        *([section(f":warning: {escape(note)}")] if note else []),
        *_choice("Who may cancel mail", "cancellers", cancellers),
        *_choice("Who may change settings", "stewards", rules.stewards),
        input_block(
            f"A second person approves above ({currency})", "above", sum_ | ({"initial_value": held} if held else {}),
            optional=True,
        ),
        context("Admins can always change these. Every change is logged."),
    ]  # fmt: skip
    return modal("Settings", blocks) | {
        "callback_id": Form.RULES.value,
        "submit": {"type": "plain_text", "text": "Save"},
    }


def _choice(title: str, name: str, chosen: frozenset[str]) -> list[Block]:
    kind = next((one for one in ("everyone", "admins") if one in chosen), "named")
    options = {key: option(label, write(Word(key))) for key, label in WHO.items()}
    people: Block = {"type": "multi_users_select", "action_id": "people"}
    named = sorted(chosen - {"everyone", "admins"})
    if named:
        people["initial_users"] = named
    return [
        input_block(title, name, select(name, "Who", list(options.values()), options[kind])),
        input_block("… and these people", f"{name}_people", people, optional=True),
    ]


def chosen(kind: str, people: Sequence[str]) -> frozenset[str]:
    """What `_choice` holds when it comes back."""
    return frozenset(people) | (frozenset({kind}) if kind in ("admins", "everyone") else frozenset())


def amount(text: str) -> Decimal | None:
    """The sum that was typed; None for none. Raises AmountRefused."""
    plain = text.strip().replace(",", "").lstrip("$£€")
    if not plain:
        return None
    if not plain.replace(".", "", 1).isdecimal() or not plain.isascii() or Decimal(plain) >= MOST:
        raise AmountRefused
    return Decimal(plain).quantize(Decimal("0.01"))


def saved() -> Block:
    """The settings were kept."""
    return modal("Settings", [section(":white_check_mark: Saved, and logged.")])


def log_page(lines: Sequence[Entry], older: int | None) -> Block:
    """A page of the audit log."""
    said = [section(_line(one)) for one in lines] or [section("Nothing has been logged yet.")]
    row = [button("Export CSV", Action.AUDIT_EXPORT, NOTHING)]
    if older is not None:
        row.append(button("Older", Action.AUDIT_OLDER, write(OneRow(older))))
    return modal("Audit log", [*said, actions(*row)])


def _line(entry: Entry) -> str:
    who = f"<@{entry.person}>" if entry.person else "Piecewise"
    subject = CHANNEL.sub(r"<#\1>", f" — {escape(entry.subject)}") if entry.subject else ""
    said = CHANNEL.sub(r"<#\1>", escape(entry.detail))
    detail = f"\n{said}" if said else ""
    return f"{formatting.stamp(entry.at)} {who} {entry.act}{subject}{detail}"


def erased(ref: str, number: int, others: Sequence[PieceId], platform: str) -> list[Block]:
    """They are gone: of this piece, or of so many. `others` go to the same name and address, and still say so."""
    which = f"piece `{escape(ref)}` was" if number == 1 else f"these {number} pieces were"
    copy = f"{platform} keeps its own copy, so have it removed there too. Backups lose it as they age."
    if not others:
        none = "I know no other piece to the same name and address. Is it spelled another way? Look with `/mailtrack`."
        copy = f"{none} {copy}"
    return [
        section(f":white_check_mark: Erased: I no longer know who {which} sent to."),
        *(_others(others) if others else []),
        context(copy),
    ]


def _others(others: Sequence[PieceId]) -> list[Block]:
    number, carried = len(others), PiecesFound.of(others)
    said = "1 other piece goes" if number == 1 else f"{formatting.count(number)} other pieces go"
    if number >= COUNTED:
        # No more were looked for.
        said = f"{formatting.count(COUNTED)} or more other pieces go"
    those = "that one" if number == 1 else f"those {formatting.count(len(carried.pieces))}"
    sure = confirmation(
        f"Erase {those}, too?", "Name, address and ZIP of these pieces are erased here for good.", "Erase", "Keep"
    )
    return [
        section(f"{said} to the same name and address. I still know those."),
        actions(
            button("Show the list", Action.FOUND_LIST, write(carried), spoken="List them with their tracking"),
            button(f"Erase {those}, too", Action.ERASE_OTHERS, write(carried), confirm=sure),
        ),
    ]
