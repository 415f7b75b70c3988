"""What this wing answers."""

from handlers.admin import erasing, settings
from handlers.admin import log as audit_log
from handlers.admin.view import chosen
from handlers.context.services import Request, Services
from handlers.context.table import Filled, Press, Submission, Table
from handlers.text.buttons import Action, Form, Word
from handlers.text.codec import read
from handlers.text.messages import waiting
from storage.records import Rules


async def _save(services: Services, request: Request, filled: Filled) -> None:
    cancellers, stewards = (
        chosen(read(Word, filled[name].chosen).word, filled[f"{name}_people"].people)
        for name in ("cancellers", "stewards")
    )
    await settings.save_settings(services, request, Rules(cancellers, stewards), filled["above"].typed)


TABLE = Table(
    actions={
        Action.SETTINGS: Press(settings.open_settings),
        Action.AUDIT: Press(audit_log.open_log),
        Action.AUDIT_OLDER: Press(audit_log.older, in_turn=True),
        Action.AUDIT_EXPORT: Press(audit_log.export_log, kept=True),
        Action.ERASE: Press(erasing.erase, kept=True),
        Action.ERASE_OTHERS: Press(erasing.erase_found, kept=True),
    },
    forms={Form.RULES: Submission(_save, kept=True, meanwhile=lambda _: waiting("Settings"))},
)
