"""What this wing answers."""

from handlers.context.table import Press, Table
from handlers.returns import actions
from handlers.text.buttons import Action

TABLE = Table(
    actions={
        Action.RETURNS: Press(actions.open_desk),
        Action.RETURNS_RANGE: Press(actions.open_range),
        Action.RETURNS_PUSH: Press(actions.push_desk),
        Action.RETURNS_NEXT: Press(actions.turn_page, in_turn=True),
        Action.RETURNS_MAP: Press(actions.show_map),
        Action.RETURN_OPEN: Press(actions.open_piece),
        Action.RETURN_CHECK: Press(actions.check_address),
        Action.RETURN_REASON: Press(actions.note_reason, in_turn=True, kept=True),
        Action.RETURN_HANDLED: Press(actions.mark_handled, kept=True),
    },
)
