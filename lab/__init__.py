"""A real cloud on one machine: Ganeti, PostgreSQL, RabbitMQ and every Syros program."""
