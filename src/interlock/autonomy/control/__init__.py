"""The control group: cases, drawn by lot, of which a person takes every decision, so that cause can be told."""
