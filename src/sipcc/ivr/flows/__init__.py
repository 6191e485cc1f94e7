"""Flows: graphs of nodes that are read from TOML or JSON, or written in Python."""
