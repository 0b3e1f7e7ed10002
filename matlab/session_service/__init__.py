"""The service inside a session's container: one interpreter, shared by all its clients over HTTP and WebSocket."""
