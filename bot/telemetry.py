"""The shape of a log line, and what may never be in one."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

#: Tokens, keys in addresses, and the private addresses at which Slack takes answers.
SECRET: Final = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|xoxe[\w.-]+|(?<=api_key=)[^&\s\"']+|https://hooks\.slack\.com/\S+"
    # PostgreSQL's own errors quote the row that they refuse.
    r"|(?<=DETAIL:)[^\n]+"
    # Webhooks and pictures are called by addresses that are secrets.
    r"|/webhooks/[a-z]+/[\w-]+|(?<=/pictures/)[\w.=-]+"
    r"|/(?:commands|actions)/T\w+/\S+|(?<=Authorization: )\S+ \S+"
)
MASK: Final = "[redacted]"


def redact(text: str) -> str:
    """The text without tokens, keys and answer addresses."""
    return SECRET.sub(MASK, text)


def _redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def set_up_logging(form: str, level: int = logging.INFO) -> None:
    """Every line, ours and the libraries', goes to standard error: as columns, or as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Plain tracebacks: the pretty ones print local variables, and those hold keys and addresses.
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    last = structlog.processors.JSONRenderer() if form == "json" else console
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:3], structlog.stdlib.ExtraAdder(), *shared[3:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact_event, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These repeat each request and each tick, and Bolt logs whole bodies of requests that it refuses.
    for name in ("aiohttp.access", "apscheduler", "alembic", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A traceback for each request that is no HTTP: it is answered with 400, and is nobody's business but the sender's.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    for name in ("slack_bolt", "slack_sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)
