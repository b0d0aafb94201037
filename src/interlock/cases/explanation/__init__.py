"""Explanations of decisions for three readers: whoever runs the system, an auditor, and the person concerned.

Every sentence comes from the record. What judged a decision (the workflow's file, tables, contracts) is taken by its
hash from what is kept, and where it is not kept the text says so. Invariants: no model is asked; nothing is claimed to
have led elsewhere that was not evaluated; what the person concerned reads holds no id, no hash, no name of a component
or of another person.
"""
