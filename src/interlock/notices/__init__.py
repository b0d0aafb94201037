"""Notices: people are told of work outside the console, by mail, webhook or chat.

INVARIANT: a notice holds no personal data and changes nothing: it leads to a page that asks who comes.
"""
