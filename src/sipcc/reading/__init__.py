"""How settings are read that people write: places in a file, findings, and plain data to structs."""
