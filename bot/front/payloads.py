"""What Slack sends, read once into typed values. What Slack would not send so is refused by name, before any work.

The shapes: docs.slack.dev, "Handling interaction payloads", "Implementing slash commands" and "Events API".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from handlers.context import table
from handlers.context.table import Filled

#: Slack cuts a message at 40,000 characters; its blocks may say the same again.
LONGEST_MESSAGE: Final = 80_000
#: The parts of a view that Slack takes; what else it holds is Slack's own.
SENT_BACK: Final = ("type", "callback_id", "private_metadata", "title", "submit", "close", "blocks")

Body = Mapping[str, Any]
Text = Annotated[str, Strict()]
#: A text that Slack leaves out, or sends as null, where there is none.
Maybe = Annotated[str, Strict(), BeforeValidator(lambda value: "" if value is None else value)]
#: Who acts: without that nothing is asked, for an unnamed person would have nobody's rights to look up.
Whose = Annotated[str, Strict(), Field(min_length=1)]
#: Slack sends an empty list for an empty object now and then (seen in `state.values` of forms without inputs).
Object = Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})]


class NotFromSlackError(ValueError):
    """A request of a shape that Slack does not send."""


class _Shape(BaseModel):
    """Built with the first that comes of its kind: to build them all is a fiftieth of the start."""

    model_config = ConfigDict(defer_build=True)


class _Id(_Shape):
    id: Maybe = ""


class _Person(_Shape):
    id: Whose


#: Some payloads name these by an object, others by its id alone.
Named = _Id | str | None


class Envelope(_Shape):
    """What Bolt itself reads of any request, to find out whose it is and what kind it is."""

    type: Maybe = ""
    command: Maybe = ""
    callback_id: Maybe = ""
    team_id: Maybe = ""
    enterprise_id: Maybe = ""
    user_id: Maybe = ""
    channel_id: Maybe = ""
    bot_access_token: Maybe = ""
    team: Named = None
    enterprise: Named = None
    user: Named = None
    channel: Named = None
    event: "_Event | None" = None
    view: Object | None = None
    message: Object | None = None
    container: Object | None = None
    function_data: Object | None = None
    authorizations: list[dict[str, Any]] | None = None
    actions: list[dict[str, Any]] | None = None
    response_urls: list[dict[str, Any]] | None = None


class _Tokens(_Shape):
    bot: list[Text] | None = None
    oauth: list[Text] | None = None


class _Event(_Shape):
    type: Text
    subtype: Maybe = ""
    team: Named = None
    enterprise: Named = None
    user: Named = None
    channel: Named = None
    authorizations: list[dict[str, Any]] | None = None
    user_id: Maybe = ""
    channel_id: Maybe = ""
    bot_id: Maybe = ""
    message: Object | None = None
    function: Object | None = None
    inputs: Object | None = None
    tokens: "Annotated[_Tokens, BeforeValidator(lambda value: value or {})] | None" = None


class Typed(_Shape):
    """A slash command."""

    user_id: Whose
    channel_id: Text
    #: Without its mark; of a private channel and of a direct message Slack says only that it is one.
    channel_name: Maybe = ""
    text: Maybe = ""
    response_url: Maybe = ""
    trigger_id: Maybe = ""


class _Option(_Shape):
    value: Maybe = ""


class _Element(_Shape):
    value: Maybe = ""
    selected_option: _Option | None = None
    selected_options: list[_Option] | None = None
    selected_users: list[Text] | None = None
    selected_date: Maybe = ""
    selected_conversation: Maybe = ""

    def carried(self) -> str:
        chosen = self.selected_option.value if self.selected_option else ""
        return self.value or chosen or self.selected_date

    def as_field(self) -> table.Field:
        return table.Field(
            self.value,
            self.selected_option.value if self.selected_option else self.selected_conversation,
            tuple(one.value for one in self.selected_options or ()),
            tuple(self.selected_users or ()),
        )


class _Pressed(_Element):
    action_id: Text
    block_id: Maybe = ""
    type: Maybe = ""


class _Container(_Shape):
    message_ts: Maybe = ""
    is_ephemeral: bool | None = None


class _View(_Shape):
    id: Maybe = ""
    callback_id: Maybe = ""
    team_id: Maybe = ""
    app_installed_team_id: Maybe = ""
    type: Maybe = ""
    hash: Maybe = ""
    private_metadata: Maybe = ""


NOWHERE, NO_VIEW = _Container.model_construct(), _View.model_construct()


class Pressed(_Shape):
    """A button or a menu, in a message, a modal or Home."""

    user: _Person
    channel: _Id | None = None
    container: _Container | None = None
    view: _View | None = None
    response_url: Maybe = ""
    trigger_id: Maybe = ""
    actions: Annotated[list[_Pressed], Field(min_length=1)]


class _State(_Shape):
    values: Annotated[dict[str, dict[str, _Element]], BeforeValidator(lambda value: value or {})] = Field(
        default_factory=dict
    )


class _Form(_View):
    #: A form without inputs may come without it, or with nothing in it.
    state: Annotated[_State, BeforeValidator(lambda value: value or {})] = Field(default_factory=_State)


class Submitted(_Shape):
    """A form."""

    user: _Person
    trigger_id: Maybe = ""
    view: _Form

    def filled(self, body: Body) -> Filled:
        """Its fields: each block of ours has one element."""
        fields = {
            name: element.as_field()
            for name, elements in self.view.state.values.items()
            for element in elements.values()
        }
        view = {key: body["view"][key] for key in SENT_BACK if body["view"].get(key)}
        return Filled(self.view.private_metadata, fields, view)


class Chosen(_Shape):
    """A shortcut on a message."""

    user: _Person
    channel: _Id | None = None
    message: Object | None = None
    response_url: Maybe = ""
    trigger_id: Maybe = ""

    def text(self) -> str:
        """What the message says in its text and in its blocks: bots often say less in the text."""
        message = self.message or {}
        return f"{message.get('text') or ''} {' '.join(_texts(message.get('blocks') or []))}"[:LONGEST_MESSAGE]


def _texts(block: Any) -> Iterator[str]:
    if isinstance(block, Mapping):
        if isinstance(block.get("text"), str):
            yield block["text"]
        block = list(block.values())
    if isinstance(block, list):
        for inner in block:
            yield from _texts(inner)


class _Shown(_Shape):
    hash: Maybe = ""


class _HomeOpened(_Shape):
    user: Whose
    tab: Maybe = ""
    view: _Shown | None = None


class HomeOpened(_Shape):
    """The event `app_home_opened`."""

    event_id: Text
    event: _HomeOpened


class _Mentioned(_Shape):
    user: Whose
    channel: Text
    text: Maybe = ""
    ts: Text
    thread_ts: Maybe = ""


class Mentioned(_Shape):
    """The event `app_mention`."""

    event_id: Text
    event: _Mentioned

    def text(self) -> str:
        """What was said, without whom it was said to."""
        # A mention holds no other: one that is left open is not looked for to the end of a long text.
        return re.sub(r"<@\w+(\|[^<>]*)?>", "", self.event.text)


class _Function(_Shape):
    callback_id: Text


class _Executed(_Shape):
    function: _Function
    inputs: Object | None = None
    function_execution_id: Text
    bot_access_token: Maybe = ""


class Executed(_Shape):
    """The event `function_executed`: a step of a workflow."""

    event_id: Text
    event: _Executed

    def inputs(self) -> dict[str, str]:
        """What the workflow's builder filled in."""
        return {key: str(value) for key, value in (self.event.inputs or {}).items()}


class _Link(_Shape):
    url: Text


class _Shared(_Shape):
    user: Whose
    channel: Text
    message_ts: Text
    links: list[_Link] | None = None


class Shared(_Shape):
    """The event `link_shared`."""

    event_id: Text
    event: _Shared


Shape = TypeVar("Shape", bound=BaseModel)


def read(shape: type[Shape], body: Body) -> Shape:
    """This body in this shape; raises NotFromSlackError, which names the places and nothing of what stood there."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        places = {".".join(str(part) for part in one["loc"]) for one in error.errors(include_input=False)}
        raise NotFromSlackError(", ".join(sorted(places))[:200]) from None


INTERACTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "block_actions": Pressed,
    "view_submission": Submitted,
    "message_action": Chosen,
}
HEARD: Final[Mapping[str, type[BaseModel]]] = {
    "app_home_opened": HomeOpened,
    "app_mention": Mentioned,
    "function_executed": Executed,
    "link_shared": Shared,
}


#: What a plain form holds: docs.slack.dev, "slash commands"; and Slack's look at whether the address is well.
FORM: Final = frozenset(
    ("token", "ssl_check", "command", "text", "trigger_id", "response_url", "api_app_id", "user_id", "user_name",
     "channel_id", "channel_name", "team_id", "team_domain", "enterprise_id", "enterprise_name",
     "is_enterprise_install")
)  # fmt: skip
#: Objects that Slack writes as null, or as an empty list or text, where there is none.
OBJECTS: Final = ("event", "view", "message", "container", "function_data", "team", "enterprise", "user", "channel")


def without_empty(body: Body) -> dict[str, Any]:
    """The body without objects that are none: Bolt takes what is there for one."""
    return {name: value for name, value in body.items() if value or name not in OBJECTS}


#: As JSON writes it: after an even number of backslashes.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def require_clean(text: str) -> None:
    """Raises ValueError unless a JSON text holds only what a database can keep: no NUL, and no half of a pair."""
    if "\x00" in text or _NUL.search(text):
        raise ValueError("NUL")
    if "\\ud" in text.lower():
        json.dumps(json.loads(text), ensure_ascii=False).encode()


def require_slack(body: Body) -> None:
    """Raises NotFromSlackError for what is not of the shape that its own type promises.

    Bolt reads much of it before a listener does, and takes each shape on trust.
    """
    envelope = read(Envelope, body)
    if envelope.type == "event_callback" and envelope.event is None:
        raise NotFromSlackError("event")
    if envelope.command and envelope.type:
        raise NotFromSlackError("type")
    if envelope.command:
        read(Typed, body)
    elif envelope.event is not None:
        shape = HEARD.get(envelope.event.type)
        if shape is not None:
            read(shape, body)
    elif shape := INTERACTIONS.get(envelope.type):
        read(shape, body)
