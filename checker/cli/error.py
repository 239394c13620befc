"""The one exception of the entrances."""

from __future__ import annotations


class UsageError(Exception):
    """Something in the arguments or settings can not be used; the message says what and what to do."""
