"""What the function says to the clients of a WebSocket API: one of them, a group, many."""
