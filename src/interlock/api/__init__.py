"""The HTTP API, one file a noun. It holds no logic of its own: it reads a request, calls a room, writes an answer."""
