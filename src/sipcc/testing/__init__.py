"""The test kit: virtual clock, memory network, fake phone and carrier, tones."""
