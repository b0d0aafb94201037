"""Issuing certificates, keeping them true, and ending them: from the decisions on record to what counts at a point."""
