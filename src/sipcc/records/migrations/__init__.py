"""The history of the tables, run by Alembic at each start.

A change of the tables is a new file in `versions/`, written by hand: it names its predecessor in
`down_revision`, and a test compares what the whole chain makes with `sipcc.records.tables`.
"""
