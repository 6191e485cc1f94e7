"""SIP signalling (RFC 3261 and its relatives): syntax, transactions, dialogs, endpoint."""
