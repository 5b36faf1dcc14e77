"""Records into a topic of Kafka, by librdkafka: each is taken when all replicas in step have it.

An idempotent producer writes each record of one life once and in order. All of them have one key, and so lie in one
partition: Kafka keeps the order only there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controller.export.spool import Entry
from controller.export.wire import Down, Refused
from controller.inventory.exports import KafkaExport
from core.errors import ConfigError

KEY: Final = b"tokgate"
SEND_SECONDS: Final = 20
_SAYS_MOST: Final = ("_SSL", "_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED")
_REFUSED: Final = ("MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "INVALID_MSG")


class KafkaWire:
    """Without the extra every ``send`` raises ``ConfigError``: a process that enforces goes on all the same."""

    batch = 500

    def __init__(self, config: KafkaExport) -> None:
        self._kafka: Any = None
        self._config = config
        self._producer: Any = None
        self._taken: Entry | None = None
        self._why = ""
        self._weight = 0

    def send(self, batch: Sequence[Entry]) -> None:
        producer = self._producer = self._producer or self._connected()
        errors: list[Any] = []

        def told(error: Any, _message: Any) -> None:
            if error is not None:
                errors.append(error)

        try:
            for entry in batch:
                facts = [("id", entry.id.encode()), ("seq", str(entry.cursor).encode())]
                value = entry.text.encode()
                producer.produce(self._config.topic, value, KEY, headers=facts, on_delivery=told)
            left = producer.flush(SEND_SECONDS)
        except (self._kafka.KafkaException, BufferError) as exc:
            raise Down(f"kafka: {_words(exc)}") from exc
        if errors and all(error.name() in _REFUSED for error in errors):
            raise Refused(f"kafka: {errors[0].str()}")
        if errors or left:
            raise Down(f"kafka: {self._reason(errors)}")
        self._taken = batch[-1]

    def confirmed(self) -> Entry | None:
        found, self._taken = self._taken, None
        return found

    def end(self) -> Entry | None:
        found = self.confirmed()
        self.drop()
        return found

    def drop(self) -> None:
        """What librdkafka still holds is forgotten: it is sent again by whoever kept it."""
        producer, self._producer, self._taken = self._producer, None, None
        if producer is not None:
            producer.purge()
            producer.flush(0)

    def _connected(self) -> Any:
        """Raises ``ConfigError``, ``SecretUnavailable``, ``Down``."""
        try:
            import confluent_kafka
        except ImportError as exc:
            raise ConfigError("an export to Kafka needs confluent-kafka", hint="pip install 'tokgate[kafka]'") from exc
        self._kafka, self._why, self._weight = confluent_kafka, "", 0
        try:
            return self._kafka.Producer(self._settings())
        except self._kafka.KafkaException as exc:
            raise Down(f"kafka: {_words(exc)}") from exc

    def _settings(self) -> dict[str, Any]:
        config = self._config
        protocol = ("SASL_" if config.sasl else "") + ("SSL" if config.tls else "PLAINTEXT")
        said: dict[str, Any] = {
            "bootstrap.servers": ",".join(config.brokers),
            "client.id": "tokgate",
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": (SEND_SECONDS - 2) * 1000,
            "socket.timeout.ms": 10_000,
            "security.protocol": protocol,
            "error_cb": self._note,
            "log_level": 0,  # what is wrong is told by the callbacks
        }
        if config.ca_file is not None:
            said["ssl.ca.location"] = str(config.ca_file)
        if config.client_cert is not None and config.client_key is not None:
            said["ssl.certificate.location"] = str(config.client_cert)
            said["ssl.key.pem"] = config.client_key.resolve().reveal()
        if config.sasl is not None and config.password is not None:
            said["sasl.mechanisms"] = config.sasl.upper()
            said["sasl.username"] = config.username
            said["sasl.password"] = config.password.resolve().reveal()
        return said

    def _reason(self, errors: list[Any]) -> str:
        """That a message came too late says less than why nobody was there to take it."""
        known = [error.str() for error in errors if error.name() != "_MSG_TIMED_OUT"]
        return next(iter(known), self._why or "no answer in time")

    def _note(self, error: Any) -> None:
        """What librdkafka says of the brokers, and is the reason when nothing arrives.

        That all are down says least, and what is wrong with a certificate or a sign-in says most.
        """
        weight = 2 if error.name() in _SAYS_MOST else int(error.name() != "_ALL_BROKERS_DOWN")
        if weight >= self._weight:
            self._why, self._weight = _words(error), weight


def _words(exc: Any) -> str:
    error = exc.args[0] if isinstance(exc, BaseException) and exc.args else exc
    said = str(error.str()) if hasattr(error, "str") else str(error)
    return said.replace("ssl.ca.location", "ca_file")  # as it is called with us


__all__ = ["KafkaWire"]
