"""The audit sample: automatic decisions that are drawn at random, and asked again of a person who does not know it."""
