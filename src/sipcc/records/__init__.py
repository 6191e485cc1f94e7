"""The event log, and the records folded from it."""
