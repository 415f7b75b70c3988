"""What a page complains of in its browser: errors, rejections that nobody handled, and what its console calls an error."""

from playwright.async_api import BrowserContext, ConsoleMessage

#: What a browser logs by itself: that nobody answers, or answers 503, for a moment between two stories, that a picture of
#: the story before is no more, and that there is no icon.
BETWEEN_STORIES = ("status of 503", "net::ERR_CONNECTION", "net::ERR_EMPTY_RESPONSE")
OF_THE_STORY_BEFORE, ICON = "/files/", "/favicon.ico"


def watch(context: BrowserContext, troubles: list[str]) -> None:
    """Collects them, of every page that opens in this context."""

    def told(message: ConsoleMessage) -> None:
        said = f"console: {message.text} ({message.location['url']})"
        if message.type == "error" and not any(one in said for one in (*BETWEEN_STORIES, OF_THE_STORY_BEFORE, ICON)):
            troubles.append(said)

    context.on("weberror", lambda error: troubles.append(f"error: {error.error}"))
    context.on("console", told)
