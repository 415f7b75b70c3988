"""What this wing answers."""

from handlers.context.table import Command, Press, Table
from handlers.text.buttons import Action
from handlers.track import actions, commands

TABLE = Table(
    commands={"/mailtrack": Command(commands.mail_track, for_guests=True)},
    actions={
        Action.TRACK: Press(actions.track_piece, for_guests=True),
        Action.PICK_PIECE: Press(actions.pick_piece, for_guests=True),
        Action.FOUND_LIST: Press(actions.open_found),
        Action.FOUND_PAGE: Press(actions.turn_found, in_turn=True),
        Action.SHARE_PIECE: Press(actions.share_piece),
    },
)
