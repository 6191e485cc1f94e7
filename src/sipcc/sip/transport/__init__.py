"""Transports: how SIP bytes travel."""
