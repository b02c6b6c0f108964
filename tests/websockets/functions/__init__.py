"""The functions that run behind MiniStack's WebSocket APIs, each in processes of its own."""
