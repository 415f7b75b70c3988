"""What a page complains of in its browser: errors, rejections that nobody handled, and what its console calls an error."""

from playwright.async_api import BrowserContext, ConsoleMessage

#: What a browser logs by itself: that the page is refused for a moment between two stories, and that there is no icon.
BETWEEN_STORIES, ICON = "status of 503", "/favicon.ico"


def watch(context: BrowserContext, troubles: list[str]) -> None:
    """Collects them, of every page that opens in this context."""

    def told(message: ConsoleMessage) -> None:
        said = f"console: {message.text} ({message.location['url']})"
        if message.type == "error" and not any(one in said for one in (BETWEEN_STORIES, ICON)):
            troubles.append(said)

    context.on("weberror", lambda error: troubles.append(f"error: {error.error}"))
    context.on("console", told)
