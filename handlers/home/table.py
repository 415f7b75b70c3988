"""What this wing answers."""

from handlers.context.table import Press, Submission, Table
from handlers.home import actions, pie, search
from handlers.text.buttons import Action, Form

TABLE = Table(
    actions={
        Action.HOME_RANGE: Press(actions.choose_range, in_turn=True, nameless=True),
        Action.HOME_NEAREST: Press(actions.choose_range, in_turn=True, nameless=True),
        Action.HOME_FIRST: Press(actions.choose_first, in_turn=True, nameless=True),
        Action.HOME_LAST: Press(actions.choose_last, in_turn=True, nameless=True),
        Action.HOME_PAGE: Press(actions.turn_page, in_turn=True, nameless=True),
        Action.HOME_REFRESH: Press(actions.look, nameless=True),
        Action.HOME_SEARCH: Press(search.search),
        Action.SHOW_PIE: Press(pie.show_pie, nameless=True),
        Action.POST_PIE: Press(pie.open_post, nameless=True),
    },
    forms={Form.POST_PIE: Submission(pie.post_pie, meanwhile=pie.meanwhile)},
)
