"""A server that answers whatever a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

# Given the request, the answer's class and the call's context.
Answer = Callable[[Any, type[Message], Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A call as it reached the server."""

    path: str
    metadata: dict[str, str]
    request: Any


class Backend(grpc.GenericRpcHandler):
    """Serves every method of the contract: remembers calls, answers empty messages.

    `answers` says otherwise for a gRPC path.
    """

    def __init__(self, descriptors: bytes) -> None:
        self.seen: list[Seen] = []
        self.answers: dict[str, Answer] = {}
        self.services: list[str] = []
        self._methods: dict[str, MethodDescriptor] = {}
        pool = DescriptorPool()
        files = FileDescriptorSet.FromString(descriptors).file
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
        for file in files:
            for each in file.service:
                service = pool.FindServiceByName(f"{file.package}.{each.name}")
                self.services.append(service.full_name)
                for method in service.methods:
                    self._methods[f"/{service.full_name}/{method.name}"] = method

    def forget(self) -> None:
        self.seen.clear()
        self.answers.clear()

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        method = self._methods.get(path)
        if method is None:
            return None
        answer_class = GetMessageClass(method.output_type)

        async def behaviour(request: Message, context: Any) -> Message:
            metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
            self.seen.append(Seen(path=path, metadata=metadata, request=request))
            if path in self.answers:
                return await self.answers[path](request, answer_class, context)
            return answer_class()

        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running server, like one `serve` process."""

    port: int
    server: grpc.aio.Server
    health: health_aio.HealthServicer


@asynccontextmanager
async def running_process(backend: Backend) -> AsyncIterator[Process]:
    """Serves the backend, health, reflection and channelz."""
    server = grpc.aio.server(options=[("grpc.http2.min_ping_interval_without_data_ms", 5000)])
    server.add_generic_rpc_handlers((backend,))
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection([*backend.services, reflection.SERVICE_NAME], server)
    channelz.add_channelz_servicer(server)
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Process(port=port, server=server, health=health)
    finally:
        await server.stop(None)
