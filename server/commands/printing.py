"""What the mesh answers, as a command prints it."""

from __future__ import annotations

from google.protobuf import json_format
from google.protobuf.message import Message


def document_of(message: Message) -> str:
    """The message as JSON, with what is 0, false or empty as well."""
    return json_format.MessageToJson(message, always_print_fields_with_no_presence=True)


def word_of(name: str, prefix: str) -> str:
    """A value of an enum as people write it: `STATE_DEAD` is `dead`."""
    return name.removeprefix(f"{prefix}_").replace("_", " ").lower()
