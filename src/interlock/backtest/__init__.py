"""Backtest: what another model, rule table, threshold or certificate would have done with recorded decisions.

``Backtester.run`` asks the candidate what was asked then, and sets what it would have decided beside what was decided:
automation, losses of wrong automatic decisions, reviews and what all of it costs, with the difference and how sure it
is. Invariants: nothing is decided, and nothing written but that somebody did so; the candidate sees inputs, features,
contracts and the time as they are on record, never what came later; of what nobody knows the outcome, nothing is
counted as good, and where what is known was not chosen at random, bounds are told in the place of an estimate.
"""
