"""The processes that WebSocket messages are measured in: a server in place of AWS and functions."""
