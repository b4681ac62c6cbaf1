"""The query of a strict route, read like the keys of an object."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import FieldDescriptor

from infrastructure.rpc.contract import ContractError, Method
from server.interception.strict_json.messages import Reading, read_object
from server.interception.strict_json.parsing import Number, Pairs

_TRUTH = {"true": True, "false": False}


class QueryReader:
    """Reads the parameters of one method, each of which is one field of its request."""

    def __init__(self, method: Method) -> None:
        """Raises ContractError if a field is not one that a parameter can say."""
        variables = method.path_parameters
        self._message = method.request_type
        fields = [field for field in self._message.fields if field.name not in variables]
        for field in fields:
            inside = field.message_type
            if inside is not None and not inside.full_name.startswith("google.protobuf."):
                message = f"{field.full_name} cannot be said by one parameter of a query"
                raise ContractError(message)
        self._fields = {field.json_name: field for field in fields}

    def read(self, query: str, message: Any) -> Reading:
        """Reads a query into an empty message; with faults, as far as it can be read."""
        reading = Reading()
        try:
            pairs = self._pairs_of(query) if query else Pairs()
        except UnicodeDecodeError:
            reading.end("has a query that is not UTF-8")
            return reading
        read_object(pairs, message, reading)
        return reading

    def _pairs_of(self, query: str) -> Pairs:
        # A plus sign is one and no space, as on the routes whose queries Envoy reads.
        said = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, errors="strict")
        pairs = Pairs()
        lists: dict[str, list[Any]] = {}
        for key, text in said:
            field = self._fields.get(key)
            if field is None:
                pairs.append((key, text))
            elif not field.is_repeated:
                pairs.append((key, _value_of(field, text)))
            elif key in lists:
                lists[key].append(_value_of(field, text))
            else:
                lists[key] = [_value_of(field, text)]
                pairs.append((key, lists[key]))
        return pairs


def _value_of(field: FieldDescriptor, text: str) -> Any:
    """What JSON has for a parameter, in which everything is text."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _TRUTH.get(text, text)
    if field.enum_type is not None and text.isdecimal() and text.isascii():
        return Number(text)
    return text
