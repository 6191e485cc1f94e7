"""Flows: an IVR as a graph of nodes, with what checks, draws and tries it."""
