"""The page of one review: why it came here, what it rests on, what each choice does, and the form that decides it.

INVARIANT: what is drawn here is what the approval is bound to; nothing is decided from a page that has grown old.
"""
