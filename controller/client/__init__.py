"""The API from a program: `Client`, and for programs with an event loop `AsyncClient` in `controller.client.aio`.

    from controller.client import Client

    client = Client("http://127.0.0.1:8080")
    client.create(7, session_id="lesson-1")
    health = client.wait_ready(7)
    client.destroy(7, session_id="lesson-1")

Which calls there are, and what each takes and answers: `calls.py`. What answers are made of: `controller.shapes`,
`state_shapes`, `event_shapes`, `node_shapes`. This imports nothing that only the controller needs.
"""

from controller.client.blocking import Client
from controller.client.calls import Answer, Patience
from controller.client.errors import CallFailed, NotReady, NotThisController, Refused, Unreachable
from controller.model import RunState

__all__ = [
    "Answer",
    "CallFailed",
    "Client",
    "NotReady",
    "NotThisController",
    "Patience",
    "Refused",
    "RunState",
    "Unreachable",
]
