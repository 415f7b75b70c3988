"""What this wing answers."""

from handlers.context.table import Press, Table
from handlers.home import actions
from handlers.text.buttons import Action

TABLE = Table(
    actions={
        Action.HOME_RANGE: Press(actions.choose_range, in_turn=True, nameless=True),
        Action.HOME_FIRST: Press(actions.choose_first, in_turn=True, nameless=True),
        Action.HOME_LAST: Press(actions.choose_last, in_turn=True, nameless=True),
        Action.HOME_PAGE: Press(actions.turn_page, in_turn=True, nameless=True),
        Action.HOME_REFRESH: Press(actions.look, nameless=True),
    },
)
