"""The whole mesh on one host: what `guerdon up`, the demo and the tests start.

Owns the child processes of a stack (PostgreSQL, `serve`, `work`, Envoy), their ports, their
log files and the secrets that a first start makes. Everything lives in one folder, by
default `.guerdon/`; removing the folder removes the stack.

`parts/` says of each part where it listens, how it is run, when it is ready and what later
parts get of it; `Stack.steps` lists them; `RunningParts` starts any list of them.

Promises: what a stack started it stops, in reverse order and within bounded time, and it
ends no other process. When the supervisor itself is killed, the kernel ends its children
(Linux only; elsewhere they have to be ended by hand).

Not for production: there the parts are run by something made for it, and this package is
not imported.
"""
