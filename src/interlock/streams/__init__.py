"""Streams: decisions and cases from events that somebody else sends, continuously.

An event is a CloudEvent, over HTTP or from a broker. Its source and id are the idempotency key, so a redelivery is the
same decision. ``event`` reads it strictly, ``intake`` has it decided, and a ``consumer`` takes messages from a broker
(``brokers``: NATS JetStream, Kafka, RabbitMQ, all through FastStream), many at once so that they share commits.

Invariants: a message is acknowledged only after what became of it is committed: a decision, a case or a quarantine.
What can never be decided is kept in quarantine with every violation. While the database is away, a queue is full or a
stop is in force, nothing is acknowledged, and no more is fetched than may be under way.
"""
