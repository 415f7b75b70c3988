"""What this wing answers."""

from handlers.context.table import Command, Press, Table, nothing
from handlers.status import actions, commands
from handlers.text.buttons import Action

TABLE = Table(
    commands={"/mailstatus": Command(commands.mail_status, for_guests=True, nameless=True)},
    actions={
        Action.REFRESH: Press(actions.refresh, for_guests=True, nameless=True),
        Action.CHOOSE_RANGE: Press(actions.refresh, in_turn=True, for_guests=True, nameless=True),
        Action.PICK_CAMPAIGN: Press(actions.pick_campaign, for_guests=True, nameless=True),
        Action.RANGE_FIRST: Press(actions.choose_first, in_turn=True, for_guests=True, nameless=True),
        Action.RANGE_LAST: Press(actions.choose_last, in_turn=True, for_guests=True, nameless=True),
        Action.COMPARE: Press(actions.compare, for_guests=True, nameless=True),
        Action.DELIVERY_CURVE: Press(actions.delivery_curve),
        Action.OPEN_DASHBOARD: Press(nothing, for_guests=True, nameless=True),
    },
)
