"""The alarm clock of ``tokgate serve``: one tick a second that asks what is due and hands it to the engine.

APScheduler only rings (memory store, one job). What is due is asked of our own store and of the clock, so a missed
tick, a restart or a clock that jumps costs nothing. A window is never scheduled: each tick asks what every site should
be doing now and compares it with what was last sent there (I12). Liveness is the age of the last finished tick on the
monotonic clock; the scheduler's own "running" proves nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from controller.delivering import Deliverer
from controller.exporting import Exporting
from controller.hosts import EVERY as HOSTS_EVERY
from controller.model import Outcome
from controller.report_sending import EVERY as REPORTS_EVERY
from controller.service import Controller
from controller.views import Selection
from core.errors import TokgateError
from core.ids import RunId, SiteName

log = structlog.get_logger()

TICK: Final = timedelta(seconds=1)
FAR: Final = timedelta(seconds=10)
"""A tick that was due so long ago, or is only then, was put there by a step of the clock."""
ACTOR: Final = "system"
RETRY_FIRST: Final = timedelta(seconds=15)
RETRY_MOST: Final = timedelta(minutes=15)
JITTER_SHARE: Final = 0.1
CALENDARS_EVERY: Final = timedelta(minutes=15)
"""How often the calendars of holidays are looked at; each says itself how often it is asked."""
SLO_EVERY: Final = timedelta(minutes=5)
PROOFS_EVERY: Final = timedelta(minutes=1)
"""How often it is looked whose proof is due; a setting says how often each firewall is asked."""
COUNTED_EVERY: Final = timedelta(minutes=1)
"""How often what counters proved is brought into the shape of all evidence."""
SPIKES_EVERY: Final = timedelta(minutes=15)
DORMANT_EVERY: Final = timedelta(days=1)
PARTS: Final = ("snapshot", "window-edge", "exception")
"""The parts of what a site's devices should hold, by the word for a run that one of them began."""
_AGAIN: Final = (Outcome.FAILED, Outcome.UNCERTAIN, Outcome.RUNNING)  # still "running": its end could not be recorded


@dataclass(slots=True)
class _Site:
    """What the schedule has under way at one site. What its devices hold is the store's to say."""

    run: RunId | None = None  # the sync that runs now
    sent: tuple[str, tuple[str, ...], str] | None = None  # (wanted, held, freeze) when the last one began
    failures: int = 0
    retry_at: float | None = None  # monotonic


@dataclass(slots=True)
class _Interval:
    """A job that is due every so often; when it was last done is the store's to remember."""

    name: str
    every: timedelta
    start: Callable[[], object]
    jitter_share: float = 0.0  # of ``every``, drawn anew each time
    jitter: timedelta = timedelta()

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """A last time that lies ahead means the clock was set back: due now, not in an hour."""
        return last is None or last > now or now - last >= self.every + self.jitter


class Bell(BackgroundScheduler):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler, ringing on whatever is done to the machine's clock.

    It notes by the wall clock when a job is next due. So after an hour that was set back nothing would ring until that
    hour came again; and of years ahead (a machine that starts without a battery clock) it would list every second.
    """

    def _process_jobs(self) -> float | None:
        now = datetime.now(UTC)
        for job in self.get_jobs():
            due: datetime | None = job.next_run_time
            if due is not None and not -FAR < due - now < FAR:
                job.modify(next_run_time=now)
        wait: float | None = super()._process_jobs()
        return wait


class Scheduler:
    """Rings for one controller. ``start`` and ``stop`` are called by ``serve``; ``tick`` by tests too."""

    def __init__(
        self,
        controller: Controller,
        *,
        jitter: Callable[[], float] = random.random,
        reload: Callable[[], None] = lambda: None,
        may_run: Callable[[], bool] = lambda: True,
    ) -> None:
        """``reload`` is called when somebody asks for another inventory than the controller has; ``may_run`` at each
        tick: whether the schedule is still this process's."""
        self._controller = controller
        self._may_run = may_run
        self._is_idle = False
        self._reload = reload
        self._reload_asked = controller.store.inventory_asked()  # what was asked of an earlier process is done
        self._clock = controller.clock
        self._jitter = jitter
        self._sites: dict[SiteName, _Site] = {}
        self._last_tick: float | None = None
        self._alarm = Bell(timezone="UTC")
        self._running: dict[str, Future[object]] = {}
        self._one_tick = threading.Lock()
        settings = controller.settings
        self._intervals = (
            _Interval("resolve", settings.resolve_interval, self._resolve, jitter_share=JITTER_SHARE),
            _Interval("counters", settings.counters_interval, self._poll),
            _Interval("sync", settings.sync_interval, self._sync_all),
            _Interval("proofs", PROOFS_EVERY, controller.queue_proofs),
            _Interval("calendars", CALENDARS_EVERY, controller.calendars.refresh),
            _Interval("hosts", HOSTS_EVERY, controller.hosts.refresh),
            _Interval("slo", SLO_EVERY, controller.coverage.watch),
            _Interval("reports", REPORTS_EVERY, controller.sending.send_due),
            _Interval("counted", COUNTED_EVERY, controller.evidence.follow_counters),
            _Interval("spikes", SPIKES_EVERY, controller.evidence.find_spikes),
            _Interval("dormant", DORMANT_EVERY, controller.evidence.find_dormant),
            _Interval("housekeeping", settings.housekeeping_interval, controller.housekeeping),
        )
        # a thread for each job and one for `wake`: a source or a gateway that hangs holds up nothing but its own job
        workers = len(self._intervals) + 1
        self._background = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="schedule")
        self._deliverer = Deliverer(
            controller.store,
            controller.webhooks,
            controller.clock,
            jitter=jitter,
            may_run=lambda: not self._is_idle,
        )
        self._exporting = Exporting(
            controller.store,
            controller.inventory,
            controller.clock,
            settings,
            privacy=controller.privacy,
            may_run=lambda: not self._is_idle,
        )
        controller.exports.live = self._exporting.views
        controller.attach_schedule(tick_age=self.tick_age, wake=self.wake)

    def start(self) -> None:
        """Begin to ring; the first tick is at once, and if it never ends, that is noticed too."""
        self._controller.follow_inventory()
        self._last_tick = self._clock.monotonic()
        self._alarm.add_job(
            self.tick,
            IntervalTrigger(seconds=int(TICK.total_seconds())),
            id="tick",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=self._clock.now(),
        )
        self._alarm.start()
        self._deliverer.start()
        self._exporting.start()

    def stop(self) -> None:
        """Ring no more and let what was started end. Nothing on a device changes because of a stop (I2)."""
        if self._alarm.running:
            self._alarm.shutdown(wait=True)
        self._background.shutdown(wait=True)
        self._deliverer.stop()
        self._exporting.stop()

    def tick_age(self) -> float | None:
        """Seconds since a tick last finished, or since the start; None before that."""
        last = self._last_tick
        return None if last is None else self._clock.monotonic() - last

    def under_way(self) -> tuple[str, ...]:
        """The jobs that run now."""
        return tuple(name for name, job in self._running.items() if not job.done())

    def tick(self) -> None:
        """Ask what is due, once. One failing question does not keep the others from being asked."""
        with self._one_tick:
            if not self._is_ours():
                return
            settle = self._controller.settle_unrecorded
            devices = (self._end_exceptions, self._controller.interventions.end_due, self._follow_signatures)
            for question in (self._start_intervals, settle, *devices, self._follow_files):
                try:
                    question()
                except Exception as exc:  # the top of the tick: logged, asked again in a second
                    log.exception("schedule.tick_failed", question=question.__name__, error=str(exc))
            self._last_tick = self._clock.monotonic()

    def _is_ours(self) -> bool:
        """The right to the schedule goes with the connection to a database; without it what is due waits."""
        try:
            ours, why = self._may_run(), "another process runs the schedule over this store"
        except TokgateError as exc:
            ours, why = False, str(exc)
        if ours and self._is_idle:
            log.info("schedule.resumed")
        elif not ours and not self._is_idle:
            log.error("schedule.idle", why=why)
        self._is_idle = not ours
        return ours

    # --- every so often -------------------------------------------------------------------------------------------

    def _start_intervals(self) -> None:
        now = self._clock.now()
        busy = self.under_way()
        for interval in self._intervals:
            if interval.name not in busy and interval.is_due(self._controller.store.last_done(interval.name), now):
                self._controller.store.set_done(interval.name, now)
                interval.jitter = interval.every * interval.jitter_share * self._jitter()
                self._running[interval.name] = self._background.submit(self._guarded, interval)

    def _guarded(self, interval: _Interval) -> None:
        try:
            interval.start()
        except TokgateError as exc:
            log.warning("schedule.job_failed", job=interval.name, code=exc.code, error=str(exc))
        except Exception as exc:  # the top of a job: recorded, and due again at its next time
            log.exception("schedule.job_failed", job=interval.name, error=str(exc))

    def _resolve(self) -> None:
        result = self._controller.refresh_intel(actor=ACTOR)
        failing = [r.name for r in result.records if r.error_code is not None]
        log.info("intel.refreshed", changed=result.changed, failing=failing)

    def _poll(self) -> None:
        """The counters of every device, and who does not come for its lists."""
        self._controller.queue_collect()
        self._controller.feeds.tell_stale()

    def _sync_all(self) -> None:
        """Every device, whether or not anything is new: drift is found here."""
        if not self._controller.signatures():
            return
        run = self._controller.sync(Selection(), actor=ACTOR, trigger="schedule")
        outcomes = [d.outcome.value for d in run.devices]
        log.info("sync.finished", run=run.id, devices=len(outcomes), **{o: outcomes.count(o) for o in set(outcomes)})

    # --- as soon as something is different ------------------------------------------------------------------------

    def wake(self) -> None:
        """Ask at once: somebody has just decided something. While we stop, the next start will ask."""
        with suppress(RuntimeError):  # the pool's word for "no more"
            self._background.submit(self.tick)

    def _end_exceptions(self) -> None:
        for exception in self._controller.exceptions.end_due():
            over = exception.ended_at is not None
            event = "exception.ended" if over else "exception.ends_soon"
            log.info(event, exception=exception.id, state=exception.state.value, ends=exception.ends.isoformat())

    def _follow_signatures(self) -> None:
        """Start a sync at each site whose devices do not hold the snapshot, modes and exceptions of this moment.

        Asked of what was read back, never of what was sent: an exception that came and went between two ticks may
        still be on a device. What a whole sync did not change is not tried again until something else does.
        """
        held, freezes = self._controller.held_signatures(), self._controller.freezes()
        for site, wanted in self._controller.signatures().items():
            state = self._sites.setdefault(site, _Site())
            if state.run is not None and not self._settle(state):
                continue
            if set(held[site]) <= {wanted}:
                state.failures, state.retry_at = 0, None
            elif state.sent != (seen := (wanted, held[site], freezes.get(site, ""))):
                self._send(site, state, trigger=_what_differs(held[site], wanted))
                state.sent = seen  # only now: what could not be sent is tried at the next tick
            elif state.retry_at is not None and self._clock.monotonic() >= state.retry_at:
                self._send(site, state, trigger="retry")

    def _follow_files(self) -> None:
        asked = self._controller.store.inventory_asked()
        if asked is None or asked == self._reload_asked:
            return
        self._reload_asked = asked
        if asked.partition(" ")[0] != self._controller.inventory.digest:
            self._reload()

    def _send(self, site: SiteName, state: _Site, *, trigger: str) -> None:
        run = self._controller.start_sync(Selection(sites=(site,)), actor=ACTOR, trigger=trigger)
        state.run, state.retry_at = run.id, None

    def _settle(self, state: _Site) -> bool:
        """Whether the site's run has ended; if so, when to try again what failed."""
        if state.run is None:
            return True
        if self._controller.is_under_way(state.run):
            return False
        run = self._controller.run(state.run)
        state.run = None
        if any(d.outcome in _AGAIN for d in run.devices):
            wait = min(RETRY_FIRST * 2 ** min(state.failures, 10), RETRY_MOST)
            state.retry_at = self._clock.monotonic() + wait.total_seconds()
            state.failures += 1
        return True


def _what_differs(held: tuple[str, ...], wanted: str) -> str:
    """The word for the run's trigger: the first part of the signature that is another one."""
    other = next(one for one in held if one != wanted)
    if not other:
        return "start"
    pairs = zip(PARTS, other.split("|"), wanted.split("|"), strict=True)
    return next((word for word, old, new in pairs if old != new), "change")
