"""The pages of exceptions: groups of one cause, one group, one exception, and what each way of resolving it does."""
