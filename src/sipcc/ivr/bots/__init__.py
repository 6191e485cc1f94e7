"""Programs that speak with callers: over a WebSocket, over TCP, or in this process."""
