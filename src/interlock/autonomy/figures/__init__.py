"""The figures of a point that pages show, measured beside the work and kept."""
