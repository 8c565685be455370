"""OpenAI messages as Anthropic's system prompt and turns.

Turns alternate; in each, the order is fixed: a user's tool results first, an assistant's tool
calls last. Every call is answered in the next turn, or the API refuses the whole conversation.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from korad.domain.value import value
from korad.errors import invalid_messages, unsupported_parameter
from korad.providers.anthropic_content import text_block, text_blocks, user_blocks
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_shapes import Json, cache_control_of
from korad.wire.surrogates import without_half_pairs

SILENT_TEXT = "."
"""Said by the user where a conversation begins with the assistant, which the API refuses, and where
their message after the assistant's is blank: without it the answer would go on from those words."""

_BAD_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


@value
class Conversation:
    """Messages in Anthropic's shape."""

    system: list[Json]
    """Text blocks."""
    turns: list[Json]
    """`role` and `content` blocks each."""
    tool_names: list[str]
    """Names of the tools called, in order, each once."""
    prefilled: bool
    """The last turn is the assistant's: the answer continues it."""


class _Turn:
    __slots__ = ("blocks", "calls", "results", "role")

    def __init__(self, role: str) -> None:
        self.role = role
        self.results: list[Json] = []
        self.blocks: list[Json] = []
        self.calls: list[Json] = []

    def as_json(self) -> Json:
        return {"role": self.role, "content": self.results + self.blocks + self.calls}


class ConversationBuilder:
    """Takes the messages one by one; used once."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._system: list[Json] = []
        self._turns: list[_Turn] = []
        self._open_calls: dict[str, str] = {}
        """Calls without a result: the client's id to the one sent."""
        self._ids: set[str] = set()
        self._tool_names: dict[str, None] = {}

    def build(self, messages: list[Any]) -> Conversation:
        """Return the conversation. Raises ClientError (400) for what cannot be translated."""
        for number, message in enumerate(messages):
            where = f"messages[{number}]"
            if not isinstance(message, dict):
                raise invalid_messages("A message must be an object with a 'role'.", where)
            add = _ADD_BY_ROLE.get(str(message.get("role")))
            if add is None:
                raise invalid_messages("This role is not accepted.", f"{where}.role")
            add(self, message, where)
        self._refuse_unanswered(f"messages[{len(messages) - 1}]")
        prefilled = bool(self._turns) and self._turns[-1].role == "assistant"
        if prefilled:
            self._trim_prefill(f"messages[{len(messages) - 1}]")
        if not self._turns and not self._system:
            raise invalid_messages("The messages hold no content.")
        if not self._turns or self._turns[0].role == "assistant":
            opening = _Turn("user")
            opening.blocks = text_block(SILENT_TEXT)
            self._turns.insert(0, opening)
        return Conversation(
            system=self._system,
            turns=[turn.as_json() for turn in self._turns],
            tool_names=list(self._tool_names),
            prefilled=prefilled,
        )

    def _add_system(self, message: Json, where: str) -> None:
        blocks = _marked(text_blocks(message.get("content"), where), message, where)
        if not blocks:
            return
        if not self._turns:
            self._system += blocks
            return
        # Kept where it stands: moved to the top it would change the cached prefix and bill all
        # of it again.
        in_place = (
            self._capabilities.system_turns
            and self._turns[-1].role != "assistant"
            and not self._open_calls
        )
        self._turn("system" if in_place else "user").blocks += blocks

    def _add_user(self, message: Json, where: str) -> None:
        blocks = user_blocks(message.get("content"), where)
        if not blocks and self._is_the_users_turn():
            blocks = text_block(SILENT_TEXT)
        if blocks:
            self._turn("user").blocks += _marked(blocks, message, where)

    def _add_assistant(self, message: Json, where: str) -> None:
        for name in ("audio", "function_call"):
            if message.get(name) is not None:
                raise unsupported_parameter(
                    f"'{name}' cannot be sent to this provider.", f"{where}.{name}"
                )
        blocks = text_blocks(message.get("content"), where)
        refusal = message.get("refusal")
        if not blocks and isinstance(refusal, str):
            blocks = text_block(refusal)
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise invalid_messages("'tool_calls' must be an array.", f"{where}.tool_calls")
        if not blocks and not calls:
            return
        if self._turns and self._turns[-1].role != "assistant":
            self._refuse_unanswered(where)
        uses = [
            self._tool_use(call, f"{where}.tool_calls[{number}]")
            for number, call in enumerate(calls)
        ]
        _marked(uses or blocks, message, where)
        turn = self._turn("assistant")
        turn.blocks += blocks
        turn.calls += uses

    def _add_tool(self, message: Json, where: str) -> None:
        client_id = message.get("tool_call_id")
        tool_use_id = self._open_calls.pop(client_id, None) if isinstance(client_id, str) else None
        if tool_use_id is None:
            raise invalid_messages(
                "A tool message must follow the assistant message whose 'tool_calls' it answers.",
                f"{where}.tool_call_id",
            )
        result: Json = {"type": "tool_result", "tool_use_id": tool_use_id}
        blocks = user_blocks(message.get("content"), where)
        for block in blocks:
            # Only the result itself can be a cache breakpoint.
            result.update(_take_marker(block))
        if blocks:
            result["content"] = blocks
        self._turn("user").results += _marked([result], message, where)

    def _add_function(self, _message: Json, where: str) -> None:
        raise unsupported_parameter(
            "The role 'function' cannot be sent to this provider; use 'tool'.", f"{where}.role"
        )

    def _is_the_users_turn(self) -> bool:
        """Return whether the assistant had the last word, and waits for no results."""
        return bool(self._turns) and self._turns[-1].role == "assistant" and not self._open_calls

    def _turn(self, role: str) -> _Turn:
        """Return the turn that what comes next in `role` belongs to."""
        last = self._turns[-1] if self._turns else None
        if last is not None and last.role == role:
            return last
        if last is not None and last.role == "system" and role == "user":
            # A system turn must be followed by the assistant's: it joins the user's before it.
            self._turns.pop()
            self._turns[-1].blocks += last.blocks
            return self._turns[-1]
        self._turns.append(_Turn(role))
        return self._turns[-1]

    def _tool_use(self, call: object, where: str) -> Json:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict):
            raise invalid_messages("A tool call must hold a 'function' object.", where)
        name, client_id = function.get("name"), call.get("id")
        if not isinstance(name, str) or not name:
            raise invalid_messages("A tool call must name its function.", f"{where}.function.name")
        if not isinstance(client_id, str) or not client_id:
            raise invalid_messages("A tool call must have an id.", f"{where}.id")
        if client_id in self._open_calls:
            raise invalid_messages("Two open tool calls have the same id.", f"{where}.id")
        self._open_calls[client_id] = tool_use_id = self._fresh_id(client_id)
        self._tool_names[name] = None
        arguments = _arguments(function.get("arguments"), f"{where}.function.arguments")
        use: Json = {"type": "tool_use", "id": tool_use_id, "name": name, "input": arguments}
        use.update(cache_control_of(call, where))
        return use

    def _fresh_id(self, client_id: str) -> str:
        """Return an id the API accepts: its alphabet, and used by no other call."""
        base = fresh = _BAD_IN_ID.sub("_", client_id)
        number = 1
        while fresh in self._ids:
            number += 1
            fresh = f"{base}_{number}"
        self._ids.add(fresh)
        return fresh

    def _refuse_unanswered(self, where: str) -> None:
        if self._open_calls:
            raise invalid_messages(
                "An assistant message with 'tool_calls' must be followed by a tool message for"
                f" each of them; missing: {', '.join(self._open_calls)}.",
                where,
            )

    def _trim_prefill(self, where: str) -> None:
        if not self._capabilities.prefill:
            raise unsupported_parameter(
                "This model does not continue an assistant message: the last message must be the"
                " user's.",
                where,
            )
        last = self._turns[-1].blocks[-1]
        last["text"] = last["text"].rstrip()


def _arguments(text: object, where: str) -> Json | msgspec.Raw:
    """Return tool arguments as they were spelled: a decode would round 20-digit floats."""
    if text is None or text == "":
        return {}
    try:
        if isinstance(text, str):
            spelled = without_half_pairs(text.encode())
            if isinstance(msgspec.json.decode(spelled), dict):
                return msgspec.Raw(spelled)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    raise invalid_messages("Tool arguments must be a JSON object.", where)


def _marked(blocks: list[Json], message: Json, where: str) -> list[Json]:
    """Put the message's own `cache_control` on its last block; return the blocks."""
    if blocks:
        blocks[-1].update(cache_control_of(message, where))
    return blocks


def _take_marker(block: Json) -> Json:
    marker = block.pop("cache_control", None)
    return {} if marker is None else {"cache_control": marker}


_ADD_BY_ROLE = {
    "system": ConversationBuilder._add_system,  # noqa: SLF001 - its own table
    "developer": ConversationBuilder._add_system,  # noqa: SLF001
    "user": ConversationBuilder._add_user,  # noqa: SLF001
    "assistant": ConversationBuilder._add_assistant,  # noqa: SLF001
    "tool": ConversationBuilder._add_tool,  # noqa: SLF001
    "function": ConversationBuilder._add_function,  # noqa: SLF001
}
