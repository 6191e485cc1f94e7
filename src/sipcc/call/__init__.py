"""Calls: legs, media and policy joined."""
