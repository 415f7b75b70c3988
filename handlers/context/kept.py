"""How far the answer to something kept has come: noted in the transaction that does it, so that it is done once.

What Slack was told is taken may be answered twice: by who took it, and by another process after that one died or was
paused. Each deed of it asks here first.
"""

from typing import Final

from sqlalchemy import Connection

from storage import intents
from storage.intents import Intent

#: What was asked for is done, and the answer is still to be shown.
DONE: Final = 1
#: Rows of their own hold it from now on, and whoever works these off tells the end.
PASSED_ON: Final = 2
#: The number of the message that refuses it: with that it is answered.
REFUSAL: Final = 2


class TakenOverError(Exception):
    """Another process has this intent by now: what we know of it is old."""


def is_first(connection: Connection, kept: Intent | None) -> bool:
    """Whether it is still to be done; notes that it is done in this transaction. What is not kept is done each time.

    Raises TakenOverError when another process answers it by now.
    """
    if kept is None:
        return True
    if not intents.note_told(connection, kept.workspace_id, kept.id, kept.token, max(kept.told, DONE)):
        raise TakenOverError
    return kept.told < DONE


def was_done(kept: Intent | None) -> bool:
    """Whether another process had done it already, so that only the answer may be left."""
    return kept is not None and kept.told >= DONE


def pass_on(connection: Connection, kept: Intent | None) -> None:
    """In this transaction it is written elsewhere. Raises TakenOverError when another process answers it by now."""
    if kept is None:
        return
    if not intents.note_told(connection, kept.workspace_id, kept.id, kept.token, PASSED_ON):
        raise TakenOverError
