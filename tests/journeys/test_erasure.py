"""Who asks to be forgotten is: after an erasure no table holds a word of them, whatever was done with their mail."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Text, select

from storage.schema.tables import metadata
from tests.journeys.conftest import ANA, BEN, Stage, everything
from tests.rudeness import NAMELESS


def texts(connection: Connection) -> Iterator[tuple[str, str]]:
    """Every text that is kept, with where it stands."""
    for table in metadata.sorted_tables:
        columns = [column for column in table.c if isinstance(column.type, Text) or column.type.python_type is str]
        for row in connection.execute(select(*columns)).all() if columns else ():
            yield from ((f"{table.name}.{c.name}", str(value)) for c, value in zip(columns, row, strict=True) if value)


def holding(connection: Connection, words: list[str]) -> set[str]:
    """Where these words stand."""
    return {where for where, text in texts(connection) for word in words if word.casefold() in text.casefold()}


@pytest.mark.calm(*NAMELESS)
async def test_after_an_erasure_no_table_holds_a_word_of_the_recipient(stage: Stage) -> None:
    piece, memory = stage.stannp.pieces_of(223)[0], stage.app.services.memory
    piece.firstname, piece.lastname, piece.address1, piece.city = (
        "Wilhelmina",
        "Quackenbush",
        "77 Xylophone Alley",
        "Zyx",
    )
    words = ["Wilhelmina", "Quackenbush", "Xylophone", "Zyx"]
    await stage.say("/mailtrack", str(piece.id))
    assert await memory.read(holding, words) >= {"pieces.name", "pieces.surname_key", "pieces.address_key"}
    await stage.say("/mailalerts", "on")
    # Looked for by name, exported by name, cancelled, and noted as returned.
    await stage.say("/mailtrack", "Quackenbush", user=BEN)
    answer = await stage.say("/mailstatus", "Holiday postcards")
    await stage.press(answer, "view_details")
    listed = await stage.modal(holding="details_export")
    values = {"search": {"asked": {"type": "plain_text_input", "value": "Quackenbush"}}}
    assert (await stage.slack.submit(ANA, listed, values)).ok
    await stage.press(await stage.modal(holding="Pieces that match"), "details_export")
    await stage.until(lambda: [m for m in stage.slack.messages if m.files and m.channel == f"D{ANA}"], 40)
    stage.slack.close_views(ANA)
    shown = await stage.say("/mailtrack", str(piece.id))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: piece.status == "cancelled")
    # A place of a scan is where the mail was handled, and stays.
    piece.move("returned", stage.world.now, "Austin, TX")
    await stage.poll()
    # A slow Slack may show what became of the cancellation only now: the answer is the one with the button.
    before = len(stage.slack.messages)
    await stage.say("/mailtrack", str(piece.id))
    shown = await stage.until(
        lambda: next((m for m in stage.slack.messages[before:] if "erase_recipient" in everything(m)), None)
    )
    await stage.press(shown, "erase_recipient")
    await stage.until(lambda: [m for m in stage.slack.messages if "I no longer know who piece" in m.text])
    await stage.poll()
    await stage.app.in_flight.drain(5)
    assert await memory.read(holding, words) == set()
