"""The thread that sends what waits in the outbox. One for the process that runs the schedule.

For each receiver one message at a time, in order: the next one is sent when the one before was taken or set aside. A
receiver that is slow or down keeps nobody else waiting. What was sent and could not be recorded is sent again, under
the same id: at least once, never lost.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import structlog

from controller.store import Store
from controller.webhook_desk import WebhookDesk
from controller.webhooks import Answer, Message, Webhook, wait_after
from core.clock import Clock
from core.errors import TokgateError

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0
WORKERS: Final = 8
IN_A_ROW: Final = 200
"""Messages to one receiver before another may have its thread."""


class Deliverer:
    """``start`` and ``stop`` are the schedule's; ``turn`` is called by its thread, and by tests."""

    def __init__(
        self,
        store: Store,
        desk: WebhookDesk,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
        may_run: Callable[[], bool] = lambda: True,
    ) -> None:
        """``may_run`` is asked before each turn."""
        self._store = store
        self._desk = desk
        self._clock = clock
        self._jitter = jitter
        self._may_run = may_run
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._under_way: dict[str, Future[None]] = {}
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="webhooks")

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Attempts that are under way end; what waits is sent after the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._may_run():
                    self.turn()
            except TokgateError as exc:
                log.warning("webhooks.failed", code=exc.code, error=str(exc))
            except Exception as exc:  # the top of the thread: told, and tried again
                log.exception("webhooks.failed", error=str(exc))
            self._stop.wait(POLL_SECONDS)

    def turn(self) -> list[Future[None]]:
        """Begin to send to every receiver that is due and not being sent to. Returns what was begun."""
        now = self._clock.now()
        self._store.give_up_messages(now)
        begun = []
        for hook in self._store.webhooks_due(now):
            if (running := self._under_way.get(hook.id)) is None or running.done():
                begun.append(self._pool.submit(self._guarded, hook))
                self._under_way[hook.id] = begun[-1]
        return begun

    def _guarded(self, hook: Webhook) -> None:
        try:
            self._serve(hook)
        except TokgateError as exc:  # the store: sent or not, it is tried again
            log.warning("webhook.not_recorded", webhook=hook.name, code=exc.code, error=str(exc))
        except Exception as exc:  # the top of a job
            log.exception("webhook.failed", webhook=hook.name, error=str(exc))

    def _serve(self, hook: Webhook) -> None:
        """Everything that waits for it, until it fails."""
        for _ in range(IN_A_ROW):
            now = self._clock.now()
            message = self._store.next_message(hook, now)
            if message is None or self._stop.is_set():
                return
            answer = self._attempt(hook, message)
            if answer.is_good:
                self._store.note_delivered(hook, message, answer, self._clock.now())
                if hook.failures:
                    log.info("webhook.recovered", webhook=hook.name, failures=hook.failures)
                    hook = self._store.webhook(hook.name)
            else:
                again = wait_after(hook.failures + 1, answer, jitter=self._jitter())
                if not self._store.note_failed(hook, message, answer, self._clock.now(), again=again):
                    log.warning("webhook.not_taken", webhook=hook.name, error=str(answer), again_in=again.seconds)
                    return
                hook = self._store.webhook(hook.name)

    def _attempt(self, hook: Webhook, message: Message) -> Answer:
        try:
            return self._desk.send(hook, message_id=message.id, body=message.body, now=self._clock.now())
        except TokgateError as exc:  # its secret cannot be had: as if the receiver were down
            return Answer(error=str(exc))
