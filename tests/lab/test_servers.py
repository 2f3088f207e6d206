"""The private servers that the other suites rely on."""

import pika
import psycopg2
import pytest

from lab import postgres as postgres_server
from lab import rabbitmq as rabbitmq_server


def test_a_postgres_database_of_a_test_is_empty_and_accepts_its_owner(postgres_url: str) -> None:
    connection = psycopg2.connect(postgres_url.replace("+psycopg2", ""))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_postgres_keeps_what_was_committed_when_it_is_killed(
    postgres: postgres_server.Postgres, postgres_url: str
) -> None:
    url = postgres_url.replace("+psycopg2", "")
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (n int)")
    connection.close()

    postgres.kill()
    postgres.start()

    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
    connection.close()


def test_a_virtual_host_of_a_test_takes_a_message_and_gives_it_back(amqp_url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    channel.basic_publish("", "q", b"fact")
    _, _, body = channel.basic_get("q", auto_ack=True)
    connection.close()
    assert body == b"fact"


def test_the_broker_has_no_guest_user(rabbitmq: rabbitmq_server.RabbitMQ) -> None:
    url = f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/%2F"
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(url))
