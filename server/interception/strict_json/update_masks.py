"""Update masks in JSON: which keys of a resource a body changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor

from infrastructure.rpc.updating import EVERYTHING, UPDATE_MASK, resource_of, writable_fields
from server.interception.strict_json.parsing import Pairs, kind_of
from server.interception.strict_json.values import MisreadError

_SHOWN_CHARACTERS_MAX = 60


class MaskReader:
    """Reads the mask of a request that changes a resource, in the keys of JSON."""

    def __init__(self, request: Descriptor) -> None:
        field = resource_of(request)
        assert field is not None
        assert field.message_type is not None
        self._key = field.json_name
        fields = field.message_type.fields_by_name
        self._names = {fields[name].json_name: name for name in writable_fields(field.message_type)}

    def read(self, value: Any) -> Sequence[str]:
        """The names of the fields that a text like `name,expiresAt` says.

        Raises:
            MisreadError: it is no text, or names what cannot be changed.
        """
        known = ", ".join([*self._names, EVERYTHING])
        if type(value) is not str:
            message = f"must be a text of keys between commas, out of {known}, and is "
            raise MisreadError(message + kind_of(value))
        paths = []
        for key in value.split(",") if value else ():
            name = EVERYTHING if key == EVERYTHING else self._names.get(key)
            if name is None:
                message = f"names {key[:_SHOWN_CHARACTERS_MAX]!r}, and may name {known}"
                raise MisreadError(message)
            paths.append(name)
        return paths

    def of_what_is_there(self, pairs: Pairs) -> Sequence[str]:
        """The names of the fields that a body without a mask changes: the keys that it has.

        JSON tells what is left out from what is set to its default.
        """
        resource = next((value for key, value in pairs if key == self._key), None)
        if not isinstance(resource, Pairs):
            return ()
        there = {key for key, value in resource if value is not None}
        return [name for key, name in self._names.items() if key in there]


def mask_reader_of(message: Descriptor) -> MaskReader | None:
    """The reader of a request's mask; None if the message has none."""
    return None if UPDATE_MASK not in message.fields_by_name else MaskReader(message)
