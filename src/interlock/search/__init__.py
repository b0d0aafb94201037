"""Search: decisions by the fields that their contracts declare searchable, in under a second over millions."""
