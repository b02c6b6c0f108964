"""What all failures to package have in common."""

from __future__ import annotations


class CannotPackage(Exception):
    """One line that says why, and what to do; below it may stand what a tool said."""
