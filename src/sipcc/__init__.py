"""sipcc: a call-centre softswitch as a library."""
