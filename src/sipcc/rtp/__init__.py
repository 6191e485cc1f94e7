"""Media (RFC 3550): packets, codecs, DTMF, playing, recording, bridging."""
