"""The four SIP transactions as tables (RFC 3261 §17, RFC 6026)."""
