"""What a page complains of in its browser: errors, rejections that nobody handled, and what its console calls an error."""

from playwright.async_api import BrowserContext, ConsoleMessage

#: Between two stories the page is refused for a moment, which a browser logs by itself.
BETWEEN_STORIES = "status of 503"


def watch(context: BrowserContext, troubles: list[str]) -> None:
    """Collects them, of every page that opens in this context."""

    def told(message: ConsoleMessage) -> None:
        if message.type == "error" and BETWEEN_STORIES not in message.text:
            troubles.append(f"console: {message.text} ({message.location['url']})")

    context.on("weberror", lambda error: troubles.append(f"error: {error.error}"))
    context.on("console", told)
