"""Functions that run in environments of MiniStack and in this process alike."""
