"""One file per question; each prints a table and JSON, and a ratio to a floor measured in the same run."""
