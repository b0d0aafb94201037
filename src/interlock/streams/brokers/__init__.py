"""The kinds of brokers, a file each; all of them through FastStream, of which only the one in use must be installed."""
