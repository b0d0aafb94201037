"""Workflow packs: complete workflows with contracts, rules, models and their evaluation, to copy and start from."""
