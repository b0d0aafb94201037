"""Lineage: from an action to every source, and from a source or a contract to everything that it influenced."""
