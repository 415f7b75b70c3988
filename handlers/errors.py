"""Every refusal and outage, named for what happened. A docstring is the sentence that a person reads.

`{platform}` in it becomes the name of the mail platform that raised it.
"""

from storage.records import Campaign


class Trouble(Exception):
    """Something outside did not work.

    Its text is plain words, also where it says what somebody typed: whoever shows it escapes it, once.
    """

    def __init__(
        self,
        text: str | None = None,
        *,
        code: str = "",
        retry_after: float | None = None,
        by: str = "",
        platform: str = "The mail platform",
    ) -> None:
        super().__init__(text or " ".join((type(self).__doc__ or "").split()).replace("{platform}", platform))
        #: The other side's own word, for the log.
        self.code = code
        self.retry_after = retry_after
        #: Whose doing it is, as Slack's user id; "" where that is nobody's.
        self.by = by


class Refusal(Trouble):
    """This cannot be done as asked."""


class Outdated(Refusal):
    """That message is out of date. Run /mailstatus or /mailtrack again."""


class AlreadyErased(Refusal):
    """That was erased already: I no longer know who it was sent to."""


class Outage(Trouble):
    """The service cannot be reached right now. Try again in a minute."""


class KeyRefused(Refusal):
    """{platform} doesn't accept the API key. Check it, and that it's for your region."""


class PieceUnknown(Refusal):
    """{platform} does not know this piece."""


class CampaignUnknown(Refusal):
    """{platform} does not know this campaign."""


class TooLate(Refusal):
    """{platform} refused to cancel: work on the piece has begun."""


class NotOffered(Refusal):
    """This mail account does not offer that report."""


class CampaignBooked(Refusal):
    """This campaign is booked and paid. {platform} lets you cancel it only in its dashboard."""


class PlatformRefused(Refusal):
    """{platform} refused the request."""


class ReadCut(PlatformRefused):
    """{platform}'s list does not end. What was read is kept."""

    #: What was read, where it was campaigns.
    campaigns: "tuple[Campaign, ...]" = ()


class PlatformDown(Outage):
    """{platform} cannot be reached right now."""


class PlatformBusy(Outage):
    """{platform}'s request limit for this minute is used up."""


class SignatureRefused(Refusal):
    """The webhook's signature does not fit the secret that was given to it."""


class PayloadRefused(Refusal):
    """The webhook's body is not what {platform} sends. Choose JSON as its content type in {platform}'s dashboard."""


class NotInChannel(Refusal):
    """I'm not in this channel. Type /invite @Piecewise there, then try again."""


class ChannelClosed(Refusal):
    """The channel is archived or gone."""


class ScopeMissing(Refusal):
    """Slack says the app lacks a permission. Reinstall it from manifest.yml, then run: piecewise check"""


class WorkspaceGone(Refusal):
    """Slack no longer accepts the bot's token. Reinstall the app and set the new SLACK_BOT_TOKEN."""


class MessageGone(Refusal):
    """The message was deleted or can no longer be edited."""


class PictureRefused(Refusal):
    """Slack did not accept the picture."""


class SlackRefused(Refusal):
    """Slack refused the message."""


class FileRefused(SlackRefused):
    """Slack didn't take the file. Ask a workspace admin whether apps may add files here, and whether there is room."""


class MessageRefused(SlackRefused):
    """Slack does not take a message of this form."""


class HomeChanged(Refusal):
    """Home was changed meanwhile."""


#: What Slack will refuse again and again, until a person mends it in the channel or we say it differently. Everything
#: else may pass by itself, or when the app is installed again.
LASTING = (NotInChannel, ChannelClosed, MessageRefused)


class SlackDown(Outage):
    """Slack cannot be reached right now."""


class SlackBusy(Outage):
    """Slack asks us to wait before we say more. Please try again in a minute."""


class PersonUnknown(Outage):
    """Slack isn't telling me right now who you are."""


class Overloaded(Outage):
    """More arrives than can be kept. Try again in a moment."""


class MemoryDown(Outage):
    """My own database is not answering right now, so I cannot look. Please try again in a minute."""


class SecretClosed(Outage):
    """I cannot open what I keep of this workspace's accounts right now. Whoever runs Piecewise can mend that; nothing
    is lost, and you need not install me again. Please try again later."""


class ImportRefusedError(ValueError):
    """A file as a whole cannot be imported; the text says why, and what to do."""


class NotConnected(Refusal):
    """No mail account is connected yet. Open Piecewise's *Home* in Slack and choose *Connect mail account*."""


class Removed(Refusal):
    """Piecewise was removed from this workspace. Install it again to go on."""
