"""The operations and types of the REST API. Written by scripts/build_client.py; run `make client` after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote

Call = Callable[..., Any]
Pages = Callable[..., Iterator[Any]]


def _q(value: str) -> str:
    return quote(value, safe="")


class AccessException(TypedDict):
    id: str
    state: Literal["draft", "requested", "approved", "denied", "revoked", "ended", "lapsed", "idle"]
    live: bool
    live_on: list[str]
    devices: list[str]
    sites: list[str]
    sources: list[str]
    roles: list[str]
    hosts: list[str]
    lookups: list[HostLookup]
    service: str
    surface: str
    starts: str
    ends: str
    hours: list[str]
    reason: str
    code: str
    owner: str
    ticket: str
    seats: int | None
    lead: str
    renews: str | None
    approvals: list[Approval]
    requested_by: str
    requested_at: str
    decided_by: str | None
    decided_at: str | None
    ended_at: str | None
    declared: str | None


class Alert(TypedDict):
    id: int
    at: str
    kind: str
    subject: str
    message: str
    detail: dict[str, Any]


class ApplyRequest(TypedDict):
    kind: Literal["apply"]
    plans: list[str]
    reason: NotRequired[str]
    override_freeze: NotRequired[bool]


class Approval(TypedDict):
    actor: str
    at: str
    preview: str


class ApproveBody(TypedDict):
    preview: NotRequired[str | None]
    reason: NotRequired[str]


class AuditEntry(TypedDict):
    seq: int
    at: str
    actor: str
    action: str
    subject: str
    reason: str
    detail: str
    previous: str
    hash: str


class AuditVerdict(TypedDict):
    intact: bool
    breaks: list[str]


class Burn(TypedDict):
    window: str
    site_seconds: float
    kept_seconds: float
    share: float | None
    burn: float | None


class Calendar(TypedDict):
    name: str
    source: str
    read_at: str | None
    ahead: list[str] | None
    error: str | None


class Cause(TypedDict):
    entry: str
    value: str
    emergency: str
    reason: str
    actor: str
    ends: str | None
    more: int


class Check(TypedDict):
    src: str
    dst: str
    site: str
    role: str | None
    at: str
    verdict: Literal[
        "blocked", "monitored", "allowed-by-exception", "never-blocked", "off", "not-listed", "no-role", "unknown"
    ]
    decided: Literal[
        "blocked", "monitored", "allowed-by-exception", "never-blocked", "off", "not-listed", "no-role", "unknown"
    ]
    rule: str | None
    entry: Covering | None
    known: list[Indicator]
    decisions: list[Decision]
    policy: str
    window: RoleNow | None
    next_edge: str | None
    exception: Passing | None
    snapshot: InForce
    devices: list[Evidence]
    notes: list[str]


class ConfigDrift(TypedDict):
    serving: str | None
    on_disk: str | None
    moved: bool
    trouble: str
    exceptions: list[DeclaredChange]
    parts: list[MovedPart] | None
    is_none: bool


class ConsentBody(TypedDict):
    reason: NotRequired[str]


class CoverageSpan(TypedDict):
    start: str
    end: str
    state: Literal["enforced", "partial", "monitored", "off", "not_enforced", "unknown"]
    cause: str


class Covering(TypedDict):
    service: str
    entry: str


class Cut(TypedDict):
    run: str
    trigger: str
    site: str
    device: str
    at: str
    flows: int


class Decision(TypedDict):
    rule: str
    entry: str
    reason: str
    basis: Literal["snapshot", "rules"]


class DeclaredChange(TypedDict):
    key: str
    kind: Literal["add", "replace", "end", "kept", "ended", "over"]
    told: str
    ends: list[str]


class Delivery(TypedDict):
    id: str
    type: str
    at: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    tried_at: str | None
    status: int | None
    error: str
    body: str


class Device(TypedDict):
    name: str
    site: str
    vendor: str
    host: str
    software: Software
    status: DeviceStatus | None


class DeviceCoverage(TypedDict):
    device: str
    spans: list[CoverageSpan]


class DeviceDrift(TypedDict):
    items: list[DriftedDevice]
    drifted: bool


class DeviceRun(TypedDict):
    device: str
    site: str
    outcome: Literal["unchanged", "applied", "held", "failed", "uncertain", "running"]
    started_at: str
    finished_at: str | None
    steps: int
    snapshot: str | None
    error_code: str | None
    error: str | None
    degraded: list[str]
    flows_cut: int | None
    timings: dict[str, float] | None
    changes: NotRequired[list[str] | None]


class DeviceStatus(TypedDict):
    last_seen_at: str | None
    last_attempt_at: str | None
    enforced_at: str | None
    snapshot: str | None
    mode: str | None
    error_code: str | None
    error: str | None
    degraded: list[str]
    exceptions: list[str]


class Difference(TypedDict):
    old: str
    new: str
    added: list[SnapshotChange]
    removed: list[SnapshotChange]


class Doctor(TypedDict):
    device: str
    ok: bool
    checks: list[DoctorCheck]


class DoctorCheck(TypedDict):
    check: str
    ok: bool
    message: str


class DrawBody(TypedDict):
    seed: str
    site_days: NotRequired[int]


class DriftedDevice(TypedDict):
    device: str
    site: str
    in_step: bool | None
    steps: list[str]
    altered: str
    error: Failure | None


class Dropped(TypedDict):
    guard: str
    entry: str
    reason: str


class Due(TypedDict):
    events: int
    episodes: int
    proofs: int
    set_aside: int
    identities_in_events: int
    identities_in_episodes: int
    identities_in_sums: int


class Emergency(TypedDict):
    id: str
    kind: Literal["withdraw", "switch", "pause"]
    active: bool
    value: str
    mode: Literal["enforce", "monitor", "off"] | None
    empties: list[str]
    sites: list[str]
    reason: str
    actor: str
    starts: str
    ends: str | None
    ended_at: str | None
    ended_by: str
    told: str


class Enforced(TypedDict):
    service: str
    kind: Literal["network", "domain"]
    entry: str


class EnforcedAge(TypedDict):
    seconds: float | None
    proven_at: str | None
    device: str | None


class EntryHit(TypedDict):
    entry: str
    packets: int | None
    bytes: int | None


class Episode(TypedDict):
    id: str
    kind: Literal[
        "use", "contact", "hits", "installed", "first-use", "spike", "evasion", "dormant", "leak", "outside-hours"
    ]
    site: str
    start: str
    end: str
    action: Literal["blocked", "monitored", "allowed-by-exception", "not-enforced", "unknown"]
    confidence: int
    grounds: list[Ground]
    device: str | None
    source: str | None
    host: str
    user: str
    role: str | None
    indicator: str
    app: str
    surface: str
    exception: str | None
    channels: list[Literal["counter", "firewall", "flow", "dns", "tls", "quic", "http", "proxy", "endpoint", "probe"]]
    sensors: list[str]
    destinations: list[str]
    count: int | None
    packets: int | None
    bytes: int | None
    events: list[str]


class Event(TypedDict):
    id: str
    site: str
    device: str
    rule: str
    role: str | None
    exception: str | None
    action: Literal["blocked", "monitored", "allowed-by-exception"]
    start: str
    end: str
    hits: int | None
    packets: int | None
    bytes: int | None
    quality: Literal["exact", "at_least"]
    snapshot: str | None
    sources: list[SourceSeen]
    sources_truncated: bool
    entries: list[EntryHit]


class Evidence(TypedDict):
    device: str
    verdict: Literal[
        "blocked", "monitored", "allowed-by-exception", "never-blocked", "off", "not-listed", "no-role", "unknown"
    ]
    why: str
    last_seen_at: str | None
    snapshot: str | None
    mode: str | None


class ExceptionBody(TypedDict):
    sites: list[str]
    sources: list[str]
    service: str
    starts: str
    ends: str
    reason: str
    owner: str
    ticket: NotRequired[str]
    code: NotRequired[str]
    surface: NotRequired[str]
    hours: NotRequired[list[str]]
    seats: NotRequired[int | None]
    lead: NotRequired[str]
    renews: NotRequired[str | None]
    draft: NotRequired[bool]


class ExceptionUse(TypedDict):
    hits: int | None
    packets: int | None
    bytes: int | None
    last_used_at: str | None
    uncounted: list[str]


class Explanation(TypedDict):
    query: str
    kind: Literal["address", "name", "network"]
    covered: bool
    at: str | None
    snapshot: InForce
    entries: list[Covering]
    decisions: list[Decision]
    known: list[Indicator]
    notes: list[str]
    extent: Extent | None


class Export(TypedDict):
    name: str
    kind: str
    form: str
    to: str
    waiting: int
    behind: int
    spool_bytes: int
    oldest: str | None
    sent: int
    dropped: int
    refused: int
    failures: int
    failing_since: str | None
    last_error: str
    taken_at: str | None
    trouble: str


class ExportReplayBody(TypedDict):
    since: str


class ExportReplayed(TypedDict):
    entries: int


class Extent(TypedDict):
    name: Literal["whole", "part", "none"]
    addresses: int
    covered: int
    parts: list[Part]
    left_out: int


class Failure(TypedDict):
    code: str
    title: str
    message: str
    hint: str


class Feed(TypedDict):
    device: str
    site: str
    group: str | None
    name: str
    kind: str
    path: str
    entries: int
    octets: int
    digest: str
    published_at: str
    settled: bool
    pulled_at: str | None
    pulled_from: str | None
    current: bool
    stale: str | None


class FeedDevice(TypedDict):
    device: str
    group: str | None
    allow: list[str]
    auth: str
    stale_after_seconds: int
    lists: list[Feed]
    pulls: list[FeedPull]
    tokens: list[FeedToken]


class FeedGroup(TypedDict):
    name: str
    path: str
    devices: list[FeedMember]
    mixed: list[FeedMixed]
    tokens: list[FeedToken]


class FeedMember(TypedDict):
    device: str
    allow: list[str]


class FeedMixed(TypedDict):
    name: str
    devices: list[str]


class FeedPull(TypedDict):
    name: str
    at: str
    address: str
    agent: str
    status: int
    digest: str | None
    octets: int


class FeedToken(TypedDict):
    id: str
    prefix: str
    created_at: str
    created_by: str
    first_used_at: str | None
    last_used_at: str | None


class FleetAge(TypedDict):
    sites: int
    never: int
    p50: float | None
    p95: float | None
    max: float | None


class FleetCoverage(TypedDict):
    at: str
    since: str
    enforced_age: FleetAge
    slo: Slo | None
    sites: list[SiteLine]


class Followed(TypedDict):
    records: list[dict[str, Any]]
    next: str
    more: bool
    missing: int


class Freeze(TypedDict):
    hold: Literal["changes", "everything"]
    reason: str
    until: str | None


class Ground(TypedDict):
    trait: str
    text: str
    weight: int
    channel: Literal["counter", "firewall", "flow", "dns", "tls", "quic", "http", "proxy", "endpoint", "probe"]


class Health(TypedDict):
    ready: bool
    version: str
    checks: list[HealthCheck]


class HealthCheck(TypedDict):
    name: str
    ok: bool
    message: str


class HostLookup(TypedDict):
    site: str
    host: str
    addresses: list[str]
    at: str | None
    until: str
    trouble: str


class Identities(TypedDict):
    unmasking: Unmasking
    identities: list[Unmasked]


class InForce(TypedDict):
    id: str
    created_at: str
    since: str | None
    until: str | None
    pin: Pin | None


class Indicator(TypedDict):
    value: str
    app: str
    category: str
    confidence: str
    dedication: str
    owner: str | None
    sources: list[Provenance]


class Job(TypedDict):
    id: str
    kind: str
    state: Literal["running", "done", "failed"]
    started_at: str
    finished_at: str | None
    href: str | None
    result: dict[str, Any] | None
    error: Failure | None


class KnownDrift(TypedDict):
    device: str
    site: str
    in_step: bool | None
    last_seen_at: str | None
    enforced_at: str | None
    error_code: str | None
    error: str | None


class Lag(TypedDict):
    median_seconds: float | None
    entries: int
    not_named: int


class LeftOut(TypedDict):
    network: str
    reason: str


class Me(TypedDict):
    actor: str
    how: Literal["token", "session"]
    via: str | None
    scopes: list[
        Literal["read", "request", "approve", "operate", "audit", "probe", "ingest", "unmask", "consent", "admin"]
    ]
    sites: list[str] | None
    session: str | None


class MovedPart(TypedDict):
    place: str
    move: Literal["added", "edited", "removed"]


class NewToken(TypedDict):
    id: str
    name: str
    prefix: str
    scopes: list[
        Literal["read", "request", "approve", "operate", "audit", "probe", "ingest", "unmask", "consent", "admin"]
    ]
    created_at: str
    created_by: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None
    owner: str | None
    sites: list[str] | None
    rotated_at: str | None
    old_until: str | None
    token: str | None


class OriginChange(TypedDict):
    kind: Literal["new-asn", "lost-asn", "renamed", "moved", "new-prefix", "lost-prefix", "confirmed", "unconfirmed"]
    network: str | None
    asn: int
    source: str
    origins: list[int]
    old_holder: str | None
    new_holder: str | None


class OriginDrift(TypedDict):
    items: list[OriginChange]


class Overlap(TypedDict):
    source: str
    entries: int
    share: float


class OwnTokenBody(TypedDict):
    name: str
    scopes: list[
        Literal["read", "request", "approve", "operate", "audit", "probe", "ingest", "unmask", "consent", "admin"]
    ]
    days: int
    sites: NotRequired[list[str] | None]


PackBody = TypedDict(
    "PackBody",
    {
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
        "sites": "NotRequired[list[str]]",
        "regulation": "NotRequired[str | None]",
        "pdf": "NotRequired[bool]",
        "sample": "NotRequired[DrawBody | None]",
    },
)


class PageAccessException(TypedDict):
    items: list[AccessException]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageAlert(TypedDict):
    items: list[Alert]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageAuditEntry(TypedDict):
    items: list[AuditEntry]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageCalendar(TypedDict):
    items: list[Calendar]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageCut(TypedDict):
    items: list[Cut]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageDelivery(TypedDict):
    items: list[Delivery]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageDevice(TypedDict):
    items: list[Device]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageEmergency(TypedDict):
    items: list[Emergency]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageEpisode(TypedDict):
    items: list[Episode]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageEvent(TypedDict):
    items: list[Event]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageExport(TypedDict):
    items: list[Export]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageFeed(TypedDict):
    items: list[Feed]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageFeedGroup(TypedDict):
    items: list[FeedGroup]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageKnownDrift(TypedDict):
    items: list[KnownDrift]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PagePerson(TypedDict):
    items: list[Person]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PagePolicy(TypedDict):
    items: list[Policy]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageProofField(TypedDict):
    items: list[ProofField]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageProofResult(TypedDict):
    items: list[ProofResult]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageRun(TypedDict):
    items: list[Run]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageScheduledReport(TypedDict):
    items: list[ScheduledReport]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSession(TypedDict):
    items: list[Session]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSetAside(TypedDict):
    items: list[SetAside]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSite(TypedDict):
    items: list[Site]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSiteRetention(TypedDict):
    items: list[SiteRetention]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSnapshotHead(TypedDict):
    items: list[SnapshotHead]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageSource(TypedDict):
    items: list[Source]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageToken(TypedDict):
    items: list[Token]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageUnmasking(TypedDict):
    items: list[Unmasking]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class PageWebhook(TypedDict):
    items: list[Webhook]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]


class Part(TypedDict):
    first: str
    last: str
    addresses: int
    covered: bool
    decisions: list[Decision]


class Passing(TypedDict):
    id: str
    owner: str
    reason: str
    ticket: str
    approved_by: str | None
    starts: str
    ends: str


class PauseBody(TypedDict):
    kind: Literal["pause"]
    sites: NotRequired[list[str]]
    reason: str
    ends: str


class Person(TypedDict):
    name: str
    title: str
    kind: Literal["local", "oidc"]
    roles: list[Literal["viewer", "requester", "approver", "operator", "auditor", "investigator", "council", "admin"]]
    sites: list[str] | None
    created_at: str
    created_by: str
    disabled_at: str | None
    locked_until: str | None
    last_sign_in_at: str | None


class PersonBody(TypedDict):
    title: NotRequired[str | None]
    roles: NotRequired[
        list[Literal["viewer", "requester", "approver", "operator", "auditor", "investigator", "council", "admin"]]
        | None
    ]
    sites: NotRequired[list[str] | None]
    reason: str


class Pin(TypedDict):
    snapshot: str
    by: str
    reason: str
    at: str


class PinBody(TypedDict):
    snapshot: str
    reason: str


class Plan(TypedDict):
    id: str
    created_at: str
    device: str
    site: str
    snapshot: str
    checksum: str
    steps: list[str]
    causes: list[Cause]
    degraded: list[str]
    gaps: list[str]
    shortened: list[Shortened]


class PlanBody(TypedDict):
    sites: NotRequired[list[str]]
    devices: NotRequired[list[str]]
    all: NotRequired[bool]
    force: NotRequired[bool]


class PlannedDevice(TypedDict):
    device: str
    site: str
    id: str | None
    checksum: str | None
    steps: list[str]
    causes: list[Cause]
    degraded: list[str]
    gaps: list[str]
    shortened: list[Shortened]
    snapshot: str | None
    script: str
    freeze: str | None
    refused: Failure | None
    error: Failure | None


class Plans(TypedDict):
    items: list[PlannedDevice]
    changes: bool


class Policy(TypedDict):
    name: str
    services: list[str]
    shared_addresses: Literal["block", "spare"]
    calendars: list[str]
    roles: dict[str, PolicyRole]
    sites: list[str]


class PolicyModelsReplayed(TypedDict):
    role: str | None
    was: Literal["blocked", "monitored", "allowed-by-exception"]
    would: Literal["blocked", "monitored", "unseen", "allowed-by-exception", "unknown"]
    events: int
    hits: int | None
    packets: int | None
    octets: int | None


class PolicyNow(TypedDict):
    site: str
    policy: str
    time_zone: str
    at: str
    local: str
    holiday: bool | None
    roles: list[RoleNow]
    next_edge: str | None
    freeze: Freeze | None
    emergencies: list[str]


class PolicyRole(TypedDict):
    mode: Literal["enforce", "monitor", "off"]
    windows: list[PolicyWindow]


class PolicyWeek(TypedDict):
    site: str
    title: str
    policy: str
    time_zone: str
    days: list[WeekDay]
    lines: list[WeekLine]
    notes: list[str]


PolicyWindow = TypedDict(
    "PolicyWindow",
    {
        "days": "list[str]",
        "from": "str",
        "to": "str",
        "on": "Literal['any', 'holidays', 'workdays']",
        "mode": "Literal['enforce', 'monitor', 'off']",
        "services": "list[str]",
    },
)


class Precision(TypedDict):
    share: float | None
    shared: float | None
    cdn: float | None
    unknown: float | None


class Preview(TypedDict):
    sentence: str
    opens: list[PreviewLine]
    conflicts: list[str]
    lookups: list[HostLookup]
    digest: str


class PreviewLine(TypedDict):
    site: str
    devices: list[str]
    source: str
    role: str | None
    mode: Literal["enforce", "monitor", "off"] | None
    effect: str


class ProbeAttempt(TypedDict):
    path: Literal["tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"]
    source: str
    target: str
    address: NotRequired[str | Literal[""]]
    verdict: Literal["blocked", "passes", "unknown"]
    why: NotRequired[str]
    silent: NotRequired[bool]


class ProbeBody(TypedDict):
    format: Literal["tokgate-probe/1"]
    round: str
    site: str
    host: str
    began: str
    ended: str
    results: list[ProbeAttempt]
    controls: NotRequired[list[ProbeControl]]


class ProbeControl(TypedDict):
    path: Literal["tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"]
    source: str
    target: str
    reached: bool
    why: NotRequired[str]


class ProbeTaken(TypedDict):
    site: str
    taken: int
    skipped: int
    blocked: int
    leaking: int
    open: int
    closed: int
    unknown: int


class ProbeTargets(TypedDict):
    site: str
    targets: list[str]
    controls: list[str]


class ProofField(TypedDict):
    site: str
    origin: str
    by: Literal["oracle", "probe"]
    path: Literal["tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"]
    role: str | None
    exception: str | None
    state: Literal["blocked", "leaking", "open", "closed", "unknown"]
    asked: int
    unknown: int
    source: str
    target: str
    rule: str
    words: str
    at: str
    since: str
    leak: str | None


class ProofResult(TypedDict):
    id: str
    round: str
    site: str
    origin: str
    by: Literal["oracle", "probe"]
    path: Literal["tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"]
    role: str | None
    exception: str | None
    source: str
    target: str
    expected: Literal["block", "pass"]
    said: Literal["blocked-by-us", "blocked-otherwise", "blocked", "passes", "unknown"]
    state: Literal["blocked", "leaking", "open", "closed", "unknown"]
    rule: str
    words: str
    at: str


class ProvenDevice(TypedDict):
    device: str
    site: str
    proofs: list[ProofResult]
    why: str
    error: Failure | None


class ProvenDevices(TypedDict):
    items: list[ProvenDevice]
    leaking: bool


class Provenance(TypedDict):
    source: str
    first_seen: str
    last_seen: str
    detail: str


class QuarantineModelsSetAsideSample(TypedDict):
    at: str
    text: str
    detail: str


class ReasonBody(TypedDict):
    reason: str


ReconcileBody = TypedDict(
    "ReconcileBody",
    {
        "name": "NotRequired[str]",
        "list": "str",
        "format": "NotRequired[str | None]",
        "site": "NotRequired[str | None]",
        "sites": "NotRequired[list[str]]",
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
    },
)


class ReconciledClient(TypedDict):
    client: str
    finding: Literal[
        "installed, seen, and all that was seen was blocked",
        "installed and seen, and not all of it was blocked",
        "installed and never seen, the site covered all the time",
        "installed and never seen, the site not covered all the time: silence proves nothing",
        "seen, and in the list of endpoints without the app",
        "seen and not in the list of endpoints",
    ]
    addresses: list[str]
    outcomes: list[str]
    last_seen: str | None


class ReconciledSite(TypedDict):
    site: str
    has_list: bool
    covered_share: float | None
    counts: dict[str, int]
    clients: list[ReconciledClient]


Reconciliation = TypedDict(
    "Reconciliation",
    {
        "from": "str",
        "to": "str",
        "endpoint_list": "str | None",
        "elsewhere": "int",
        "sites": "list[ReconciledSite]",
    },
)


class Refresh(TypedDict):
    id: str
    by: str
    force: bool
    started_at: str
    finished_at: str | None
    ending: Literal["running", "changed", "unchanged", "waiting", "held", "failed"]
    snapshot: str | None
    previous: str | None
    waiting: str | None
    added: int | None
    removed: int | None
    failing: list[str] | None
    error: Failure | None


class RefreshBody(TypedDict):
    force: NotRequired[bool]


class RenewBody(TypedDict):
    ends: str
    reason: NotRequired[str]
    draft: NotRequired[bool]


class ReplayBody(TypedDict):
    ids: NotRequired[list[str] | None]
    since: NotRequired[str | None]


class RoleCoverage(TypedDict):
    role: str
    seconds: dict[str, float]
    spans: list[CoverageSpan]


class RoleNow(TypedDict):
    role: str
    services: list[str]
    mode: Literal["enforce", "monitor", "off"]
    why: str


RollbackBody = TypedDict(
    "RollbackBody",
    {
        "from": "str",
        "reason": "str",
    },
)


class RotateBody(TypedDict):
    overlap_hours: NotRequired[int]


class RotateSecretBody(TypedDict):
    secret: str


class Run(TypedDict):
    id: str
    trigger: str
    actor: str
    started_at: str
    finished_at: str | None
    devices: list[DeviceRun]


class ScheduledReport(TypedDict):
    report: str
    site: str | None
    range: str
    form: str
    when: str
    zone: str
    to: str
    due: str | None
    sent_at: str | None
    trouble: str


class Scoreboard(TypedDict):
    at: str
    sources: list[ScoredSource]
    hits: ScoredHits


class ScoredHits(TypedDict):
    since: str
    events: int
    events_left_out: bool
    without_destination: int
    of_nobody: int


class ScoredSource(TypedDict):
    source: str
    kind: str
    last_attempt: str | None
    last_success: str | None
    error_code: str | None
    stale: str | None
    stale_after_seconds: float
    dated: str | None
    changed_at: str | None
    changes: int
    watched: Watched | None
    entries: int
    networks: int
    domains: int
    addresses_v4: int
    networks_v6: int
    unique: int
    unique_share: float | None
    overlaps: list[Overlap]
    lag: Lag
    precision_v4: Precision
    precision_v6: Precision
    hits: SourceHits


class SeatsBody(TypedDict):
    sources: list[str]


class Selection(TypedDict):
    sites: NotRequired[list[str]]
    devices: NotRequired[list[str]]
    all: NotRequired[bool]


class SendBody(TypedDict):
    only_make: NotRequired[bool]


class ServiceSet(TypedDict):
    service: str
    networks: list[str]
    domains: list[str]
    allows: list[str]


class Session(TypedDict):
    id: str
    person: str
    kind: Literal["local", "oidc"]
    address: str
    agent: str
    created_at: str
    last_used_at: str
    idle_at: str
    ends_at: str
    revoked_at: str | None


class SetAside(TypedDict):
    id: int
    origin: str
    why: Literal["unreadable", "too-long", "future", "too-old", "stranger", "impostor", "clock-back", "counter-back"]
    site: str | None
    count: int
    first_at: str
    last_at: str
    samples: list[QuarantineModelsSetAsideSample]


class Shortened(TypedDict):
    group: str
    networks: int
    addresses_v4: int
    addresses_v6: int
    left_out: list[LeftOut]
    left_out_v4: int
    left_out_v6: int


class ShownDropped(TypedDict):
    items: list[Dropped]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]
    snapshot: ShownHead


class ShownEnforced(TypedDict):
    items: list[Enforced]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]
    snapshot: ShownHead


class ShownHead(TypedDict):
    id: str
    created_at: str
    parent: str | None
    pin: Pin | None
    networks: int
    domains: int
    indicators: int
    dropped: int
    sources: list[SourceAge]


class ShownIndicator(TypedDict):
    items: list[Indicator]
    next_cursor: NotRequired[str | None]
    count: NotRequired[int | None]
    snapshot: ShownHead


class SignedOut(TypedDict):
    sessions: int


class Site(TypedDict):
    name: str
    title: str
    time_zone: str
    policy: str
    modes: dict[str, Literal["enforce", "monitor", "off"]]
    next_edge: str | None
    devices: list[Device]


class SiteCoverage(TypedDict):
    site: str
    start: str
    end: str
    by: Literal["span", "minute"]
    enforced_age: EnforcedAge
    seconds: dict[str, float]
    spans: list[CoverageSpan]
    devices: list[DeviceCoverage]
    roles: list[RoleCoverage]


class SiteLine(TypedDict):
    site: str
    title: str
    state: Literal["enforced", "partial", "monitored", "off", "not_enforced", "unknown"]
    cause: str
    enforced_age: EnforcedAge
    seconds: dict[str, float]
    kept_share: float | None


class SiteRetention(TypedDict):
    site: str
    events_days: int
    episodes_days: int
    identities_days: int
    proofs_days: int
    hold: str
    due: Due | None


class Slo(TypedDict):
    enforced_age: str
    share: float
    budget_left: float | None
    missed: bool
    burning: bool
    burns: list[Burn]


class Snapshot(TypedDict):
    id: str
    created_at: str
    parent: str | None
    services: list[ServiceSet]
    dropped: list[Dropped]
    sources: list[SourceAge]
    indicators: NotRequired[list[Indicator] | None]
    pin: NotRequired[Pin | None]


class SnapshotChange(TypedDict):
    service: str
    entry: str
    reason: str
    sources: list[str]
    words: list[Provenance]


class SnapshotHead(TypedDict):
    id: str
    created_at: str
    parent: str | None
    networks: int
    domains: int
    current: bool


class Software(TypedDict):
    version: str | None
    read_at: str | None
    unknown_because: str | None


class Source(TypedDict):
    name: str
    kind: str
    last_attempt: str | None
    last_success: str | None
    error_code: str | None
    error: str | None
    indicators: int
    skipped: int | None
    changed_at: str | None
    watched: Watched | None
    stale: str | None


class SourceAge(TypedDict):
    source: str
    last_success: str


class SourceHits(TypedDict):
    events: int
    packets: int | None


class SourceSeen(TypedDict):
    source: str
    destination: str
    packets: int | None
    bytes: int | None
    last_seen: str


class SwitchBody(TypedDict):
    kind: Literal["switch"]
    mode: Literal["monitor", "off"]
    sites: NotRequired[list[str]]
    reason: str
    ends: NotRequired[str | None]


class SyncRequest(TypedDict):
    sites: NotRequired[list[str]]
    devices: NotRequired[list[str]]
    all: NotRequired[bool]
    kind: Literal["sync"]
    reason: NotRequired[str]
    force: NotRequired[bool]
    override_freeze: NotRequired[bool]


class Token(TypedDict):
    id: str
    name: str
    prefix: str
    scopes: list[
        Literal["read", "request", "approve", "operate", "audit", "probe", "ingest", "unmask", "consent", "admin"]
    ]
    created_at: str
    created_by: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None
    owner: str | None
    sites: list[str] | None
    rotated_at: str | None
    old_until: str | None


class TokenBody(TypedDict):
    name: str
    scopes: list[
        Literal["read", "request", "approve", "operate", "audit", "probe", "ingest", "unmask", "consent", "admin"]
    ]
    days: int
    sites: NotRequired[list[str] | None]
    owner: NotRequired[str | None]


class Tried(TypedDict):
    good: bool
    status: int | None
    error: str
    seconds: float


class TrustBody(TypedDict):
    source: str
    reason: str


class Unmasked(TypedDict):
    pseudonym: str
    of: Literal["client", "user"]
    identity: str
    period: str


class Unmasking(TypedDict):
    id: str
    site: str
    since: str
    until: str
    pseudonym: str
    reason: str
    ticket: str
    hours: int
    state: Literal["requested", "approved", "denied", "ended", "lapsed", "over"]
    requested_by: str
    requested_at: str
    decided_by: str
    decided_at: str | None
    decided_why: str
    ends_at: str | None
    reads: int
    last_read_at: str | None


class UnmaskingBody(TypedDict):
    site: str
    since: str
    until: str
    pseudonym: NotRequired[str]
    reason: str
    ticket: NotRequired[str]
    hours: NotRequired[int]


class Unrecorded(TypedDict):
    role: str
    service: str
    would: Literal["blocked", "monitored", "unseen", "allowed-by-exception", "unknown"]
    seconds: float


class Watched(TypedDict):
    rule: Literal["unchanged", "growth"]
    since: str
    reason: str


class Webhook(TypedDict):
    id: str
    name: str
    url: str
    form: Literal["json", "slack", "teams"]
    kinds: list[str]
    sites: list[str] | None
    secret: str | None
    old_secret: str | None
    created_at: str
    created_by: str
    paused_at: str | None
    paused_why: str
    failures: int
    failing_since: str | None
    retry_at: str | None
    last_error: str
    delivered_at: str | None
    dropped: int
    waiting: int
    dead: int


class WebhookBody(TypedDict):
    name: str
    url: str
    form: NotRequired[Literal["json", "slack", "teams"]]
    kinds: list[str]
    sites: NotRequired[list[str] | None]
    secret: NotRequired[str | None]


class WebhookEditBody(TypedDict):
    url: NotRequired[str | None]
    kinds: NotRequired[list[str] | None]
    sites: NotRequired[list[str] | None]


class WebhookModelsReplayed(TypedDict):
    messages: int


class WeekDay(TypedDict):
    date: str
    holiday: bool
    hours: float


class WeekLine(TypedDict):
    role: str
    services: list[str]
    days: list[list[WeekSpan]]


WeekSpan = TypedDict(
    "WeekSpan",
    {
        "from": "str",
        "to": "str",
        "mode": "Literal['enforce', 'monitor', 'off']",
    },
)


WhatIf = TypedDict(
    "WhatIf",
    {
        "site": "str",
        "policy": "str",
        "from": "str",
        "to": "str",
        "rows": "list[PolicyModelsReplayed]",
        "unrecorded": "list[Unrecorded]",
        "notes": "list[str]",
    },
)


WhatIfBody = TypedDict(
    "WhatIfBody",
    {
        "from": "str",
        "to": "str",
        "policy": "NotRequired[str | None]",
        "proposed": "NotRequired[dict[str, Any] | None]",
    },
)


class WithdrawBody(TypedDict):
    kind: Literal["withdraw"]
    value: str
    reason: str
    ends: str
    empties: NotRequired[list[str]]


class CheckRoutes:
    """The routes under ``/api/v1/check``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def check(self, *, src: str, dst: str, at: str | None = None, site: str | None = None) -> Check:
        """What becomes of one flow, and why."""
        return cast("Check", self._call("GET", "/check", query={"src": src, "dst": dst, "at": at, "site": site}))


class SitesRoutes:
    """The routes under ``/api/v1/sites``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_sites(
        self,
        *,
        policy: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Site]:
        """All sites."""
        return cast(
            "Iterator[Site]", self._pages("/sites", query={"policy": policy, "limit": limit, "order": order, "q": q})
        )

    def get_site(self, name: str) -> Site:
        """One site."""
        return cast("Site", self._call("GET", f"/sites/{_q(name)}"))

    def policy_at(self, name: str, *, at: str | None = None) -> PolicyNow:
        """What holds at a site."""
        return cast("PolicyNow", self._call("GET", f"/sites/{_q(name)}/policy", query={"at": at}))

    def calendar(self, name: str, *, week: str | None = None) -> PolicyWeek:
        """A week of a policy at a site."""
        return cast("PolicyWeek", self._call("GET", f"/sites/{_q(name)}/calendar", query={"week": week}))

    def what_if(self, name: str, body: WhatIfBody, *, idempotency_key: str | None = None) -> WhatIf:
        """What another policy would have done."""
        return cast(
            "WhatIf",
            self._call("POST", f"/sites/{_q(name)}/what-if", headers={"Idempotency-Key": idempotency_key}, body=body),
        )


class PoliciesRoutes:
    """The routes under ``/api/v1/policies``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_policies(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Policy]:
        """All policies."""
        return cast("Iterator[Policy]", self._pages("/policies", query={"limit": limit, "order": order, "q": q}))

    def get_policy(self, name: str) -> Policy:
        """One policy."""
        return cast("Policy", self._call("GET", f"/policies/{_q(name)}"))


class CalendarsRoutes:
    """The routes under ``/api/v1/calendars``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_calendars(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Calendar]:
        """All calendars of holidays."""
        return cast("Iterator[Calendar]", self._pages("/calendars", query={"limit": limit, "order": order, "q": q}))


class DevicesRoutes:
    """The routes under ``/api/v1/devices``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_devices(
        self,
        *,
        site: str | None = None,
        vendor: str | None = None,
        failing: bool | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Device]:
        """All devices."""
        return cast(
            "Iterator[Device]",
            self._pages(
                "/devices",
                query={"site": site, "vendor": vendor, "failing": failing, "limit": limit, "order": order, "q": q},
            ),
        )

    def get_device(self, name: str) -> Device:
        """One device."""
        return cast("Device", self._call("GET", f"/devices/{_q(name)}"))

    def doctor(self, name: str, *, idempotency_key: str | None = None) -> Doctor:
        """Check that a device is prepared."""
        return cast(
            "Doctor", self._call("POST", f"/devices/{_q(name)}/doctor", headers={"Idempotency-Key": idempotency_key})
        )


class SnapshotsRoutes:
    """The routes under ``/api/v1/snapshots``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_snapshots(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[SnapshotHead]:
        """Snapshots, the newest first."""
        return cast(
            "Iterator[SnapshotHead]",
            self._pages("/snapshots", query={"since": since, "until": until, "limit": limit, "order": order, "q": q}),
        )

    def current(self, *, indicators: bool | None = None) -> Snapshot:
        """The snapshot in force."""
        return cast("Snapshot", self._call("GET", "/snapshots/current", query={"indicators": indicators}))

    def get_snapshot(self, id: str, *, indicators: bool | None = None) -> Snapshot:
        """One snapshot."""
        return cast("Snapshot", self._call("GET", f"/snapshots/{_q(id)}", query={"indicators": indicators}))

    def diff(self, old: str, new: str) -> Difference:
        """How two snapshots differ."""
        return cast("Difference", self._call("GET", f"/snapshots/{_q(old)}/diff/{_q(new)}"))


class SourcesRoutes:
    """The routes under ``/api/v1/sources``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_sources(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Source]:
        """All sources."""
        return cast("Iterator[Source]", self._pages("/sources", query={"limit": limit, "order": order, "q": q}))


class IntelRoutes:
    """The routes under ``/api/v1/intel``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def explain(self, *, q: str, at: str | None = None) -> Explanation:
        """Covered or not, and why."""
        return cast("Explanation", self._call("GET", "/intel/explain", query={"q": q, "at": at}))

    def origin_drift(self, *, old: str | None = None, new: str | None = None) -> OriginDrift:
        """Which networks came, went, moved or were renamed."""
        return cast("OriginDrift", self._call("GET", "/intel/drift", query={"old": old, "new": new}))

    def pin(
        self,
        body: PinBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pin:
        """Keep a snapshot in force."""
        return cast(
            "Pin",
            self._call(
                "POST",
                "/intel/pin",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def scoreboard(self) -> Scoreboard:
        """What each source is worth."""
        return cast("Scoreboard", self._call("GET", "/intel/scoreboard"))

    def roll_back(
        self,
        body: RollbackBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pin:
        """Pin the snapshot that was in force before."""
        return cast(
            "Pin",
            self._call(
                "POST",
                "/intel/rollback",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def refresh(self, body: RefreshBody, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Refresh:
        """Ask every source."""
        return cast(
            "Refresh",
            self._call(
                "POST",
                "/intel/refresh",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def get_refresh(self, id: str) -> Refresh:
        """What became of a refresh."""
        return cast("Refresh", self._call("GET", f"/intel/refresh/{_q(id)}"))

    def trust(self, body: TrustBody, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Source:
        """Vouch for a source."""
        return cast(
            "Source",
            self._call(
                "POST",
                "/intel/trust",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def unpin(
        self,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pin:
        """Let refreshes decide again."""
        return cast(
            "Pin",
            self._call(
                "POST",
                "/intel/unpin",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def list_sources(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Source]:
        """All sources."""
        return cast("Iterator[Source]", self._pages("/intel/sources", query={"limit": limit, "order": order, "q": q}))

    def list_snapshots(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[SnapshotHead]:
        """Snapshots, the newest first."""
        return cast(
            "Iterator[SnapshotHead]",
            self._pages(
                "/intel/history", query={"since": since, "until": until, "limit": limit, "order": order, "q": q}
            ),
        )

    def show(
        self,
        *,
        snapshot: str | None = None,
        service: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Enforced]:
        """What is enforced, entry by entry."""
        return cast(
            "Iterator[Enforced]",
            self._pages(
                "/intel/show", query={"snapshot": snapshot, "service": service, "limit": limit, "order": order, "q": q}
            ),
        )

    def show_indicators(
        self,
        *,
        snapshot: str | None = None,
        app: str | None = None,
        source: str | None = None,
        owner: str | None = None,
        category: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Indicator]:
        """Every entry that a source named."""
        return cast(
            "Iterator[Indicator]",
            self._pages(
                "/intel/show/indicators",
                query={
                    "snapshot": snapshot,
                    "app": app,
                    "source": source,
                    "owner": owner,
                    "category": category,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def show_dropped(
        self,
        *,
        snapshot: str | None = None,
        guard: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Dropped]:
        """What guards took out, and why."""
        return cast(
            "Iterator[Dropped]",
            self._pages(
                "/intel/show/dropped",
                query={"snapshot": snapshot, "guard": guard, "limit": limit, "order": order, "q": q},
            ),
        )

    def diff(self, *, old: str | None = None, new: str | None = None) -> Difference:
        """How two snapshots differ, and why."""
        return cast("Difference", self._call("GET", "/intel/diff", query={"old": old, "new": new}))


class PlansRoutes:
    """The routes under ``/api/v1/plans``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def create_plans(self, body: PlanBody, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Plans:
        """Plan the selected devices."""
        return cast(
            "Plans",
            self._call(
                "POST", "/plans", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )

    def get_plan(self, id: str) -> Plan:
        """A stored plan."""
        return cast("Plan", self._call("GET", f"/plans/{_q(id)}"))


class RunsRoutes:
    """The routes under ``/api/v1/runs``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_runs(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        trigger: str | None = None,
        actor: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Run]:
        """Runs, the newest first."""
        return cast(
            "Iterator[Run]",
            self._pages(
                "/runs",
                query={
                    "site": site,
                    "device": device,
                    "trigger": trigger,
                    "actor": actor,
                    "since": since,
                    "until": until,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def start_run(
        self, body: SyncRequest | ApplyRequest, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> Run:
        """Start a run."""
        return cast(
            "Run",
            self._call(
                "POST", "/runs", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )

    def get_run(self, id: str) -> Run:
        """One run."""
        return cast("Run", self._call("GET", f"/runs/{_q(id)}"))


class JobsRoutes:
    """The routes under ``/api/v1/jobs``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def get_job(self, id: str) -> Job:
        """What became of long work."""
        return cast("Job", self._call("GET", f"/jobs/{_q(id)}"))


class FeedsRoutes:
    """The routes under ``/api/v1/feeds``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_feeds(
        self,
        *,
        site: str | None = None,
        group: str | None = None,
        stale: bool | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Feed]:
        """All lists that firewalls pull."""
        return cast(
            "Iterator[Feed]",
            self._pages(
                "/feeds", query={"site": site, "group": group, "stale": stale, "limit": limit, "order": order, "q": q}
            ),
        )

    def get_feeds(self, name: str) -> FeedDevice:
        """The lists of one device."""
        return cast("FeedDevice", self._call("GET", f"/feeds/{_q(name)}"))


class DriftRoutes:
    """The routes under ``/api/v1/drift``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def known_drift(
        self,
        *,
        site: str | None = None,
        failing: bool | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[KnownDrift]:
        """What the last look said."""
        return cast(
            "Iterator[KnownDrift]",
            self._pages("/drift", query={"site": site, "failing": failing, "limit": limit, "order": order, "q": q}),
        )

    def look_now(self, body: Selection, *, idempotency_key: str | None = None) -> DeviceDrift:
        """Look now."""
        return cast(
            "DeviceDrift", self._call("POST", "/drift", headers={"Idempotency-Key": idempotency_key}, body=body)
        )


class ExceptionsRoutes:
    """The routes under ``/api/v1/exceptions``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_exceptions(
        self,
        *,
        state: Literal["draft", "requested", "approved", "denied", "revoked", "ended", "lapsed", "idle"] | None = None,
        site: str | None = None,
        live: bool | None = None,
        service: str | None = None,
        code: str | None = None,
        owner: str | None = None,
        requested_by: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[AccessException]:
        """Exceptions, the newest first."""
        return cast(
            "Iterator[AccessException]",
            self._pages(
                "/exceptions",
                query={
                    "state": state,
                    "site": site,
                    "live": live,
                    "service": service,
                    "code": code,
                    "owner": owner,
                    "requested_by": requested_by,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def request_exception(
        self, body: ExceptionBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> AccessException:
        """Request an exception."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                "/exceptions",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def preview(self, body: ExceptionBody, *, idempotency_key: str | None = None) -> Preview:
        """What a request would open."""
        return cast(
            "Preview",
            self._call("POST", "/exceptions/preview", headers={"Idempotency-Key": idempotency_key}, body=body),
        )

    def get_exception(self, id: str) -> AccessException:
        """One exception."""
        return cast("AccessException", self._call("GET", f"/exceptions/{_q(id)}"))

    def approve(
        self,
        id: str,
        body: ApproveBody | None = None,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> AccessException:
        """Approve."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                f"/exceptions/{_q(id)}/approve",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def preview_of(self, id: str) -> Preview:
        """What one that was asked for would open."""
        return cast("Preview", self._call("GET", f"/exceptions/{_q(id)}/preview"))

    def use(self, id: str) -> ExceptionUse:
        """What was counted of its use."""
        return cast("ExceptionUse", self._call("GET", f"/exceptions/{_q(id)}/use"))

    def history(
        self, id: str, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[AccessException]:
        """It and those that it renews."""
        return cast(
            "Iterator[AccessException]",
            self._pages(f"/exceptions/{_q(id)}/history", query={"limit": limit, "order": order, "q": q}),
        )

    def submit(
        self, id: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> AccessException:
        """Hand a draft in."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                f"/exceptions/{_q(id)}/submit",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def renew(
        self,
        id: str,
        body: RenewBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> AccessException:
        """Ask for it once more."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                f"/exceptions/{_q(id)}/renew",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def give_seats(
        self,
        id: str,
        body: SeatsBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> AccessException:
        """Give the seats of a team."""
        return cast(
            "AccessException",
            self._call(
                "PUT",
                f"/exceptions/{_q(id)}/seats",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def deny(
        self,
        id: str,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> AccessException:
        """Deny."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                f"/exceptions/{_q(id)}/deny",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def revoke(
        self,
        id: str,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> AccessException:
        """Revoke."""
        return cast(
            "AccessException",
            self._call(
                "POST",
                f"/exceptions/{_q(id)}/revoke",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class EmergenciesRoutes:
    """The routes under ``/api/v1/emergencies``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_emergencies(
        self,
        *,
        active: bool | None = None,
        kind: Literal["withdraw", "switch", "pause"] | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Emergency]:
        """Emergency actions, the newest first."""
        return cast(
            "Iterator[Emergency]",
            self._pages("/emergencies", query={"active": active, "kind": kind, "limit": limit, "order": order, "q": q}),
        )

    def act(
        self,
        body: WithdrawBody | SwitchBody | PauseBody,
        *,
        dry_run: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Emergency:
        """Act in an emergency."""
        return cast(
            "Emergency",
            self._call(
                "POST",
                "/emergencies",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def get_emergency(self, id: str) -> Emergency:
        """One emergency action."""
        return cast("Emergency", self._call("GET", f"/emergencies/{_q(id)}"))

    def end_emergency(
        self,
        id: str,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Emergency:
        """End it now."""
        return cast(
            "Emergency",
            self._call(
                "POST",
                f"/emergencies/{_q(id)}/end",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class EventsRoutes:
    """The routes under ``/api/v1/events``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_events(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        action: Literal["blocked", "monitored", "allowed-by-exception"] | None = None,
        exception: str | None = None,
        since: str | None = None,
        until: str | None = None,
        role: str | None = None,
        pseudonym: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Event]:
        """Detection events, the newest first."""
        return cast(
            "Iterator[Event]",
            self._pages(
                "/events",
                query={
                    "site": site,
                    "device": device,
                    "action": action,
                    "exception": exception,
                    "since": since,
                    "until": until,
                    "role": role,
                    "pseudonym": pseudonym,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def follow_journal(
        self, *, since: str | None = None, limit: int | None = None, form: Literal["json", "ecs", "ocsf"] | None = None
    ) -> Followed:
        """Events and episodes as they are recorded, from a place on."""
        return cast(
            "Followed", self._call("GET", "/events/journal", query={"since": since, "limit": limit, "form": form})
        )

    def list_cuts(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Cut]:
        """Open flows that changes ended, the newest first."""
        return cast(
            "Iterator[Cut]",
            self._pages(
                "/events/cuts",
                query={
                    "site": site,
                    "device": device,
                    "since": since,
                    "until": until,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def list_alerts(
        self,
        *,
        kind: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Alert]:
        """Alerts of the intelligence, the newest first."""
        return cast(
            "Iterator[Alert]",
            self._pages(
                "/events/alerts",
                query={"kind": kind, "since": since, "until": until, "limit": limit, "order": order, "q": q},
            ),
        )


class EvidenceRoutes:
    """The routes under ``/api/v1/evidence``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_quarantine(
        self,
        *,
        why: Literal[
            "unreadable", "too-long", "future", "too-old", "stranger", "impostor", "clock-back", "counter-back"
        ]
        | None = None,
        site: str | None = None,
        since: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[SetAside]:
        """Records that are no evidence: how many from where and why, the latest first."""
        return cast(
            "Iterator[SetAside]",
            self._pages(
                "/evidence/quarantine",
                query={"why": why, "site": site, "since": since, "limit": limit, "order": order, "q": q},
            ),
        )


class CoverageRoutes:
    """The routes under ``/api/v1/coverage``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def fleet(self) -> FleetCoverage:
        """The fleet now."""
        return cast("FleetCoverage", self._call("GET", "/coverage"))

    def slo(self) -> Slo:
        """The promise, and its error budget."""
        return cast("Slo", self._call("GET", "/coverage/slo"))

    def site(
        self, name: str, *, from_: str | None = None, to: str | None = None, by: Literal["span", "minute"] | None = None
    ) -> SiteCoverage:
        """One site over some time."""
        return cast(
            "SiteCoverage", self._call("GET", f"/coverage/sites/{_q(name)}", query={"from": from_, "to": to, "by": by})
        )


class ProofsRoutes:
    """The routes under ``/api/v1/proofs``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def matrix(
        self,
        *,
        site: str | None = None,
        state: Literal["blocked", "leaking", "open", "closed", "unknown"] | None = None,
        path: Literal["tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"] | None = None,
        by: Literal["oracle", "probe"] | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[ProofField]:
        """Site by path: blocked, leaking or unknown."""
        return cast(
            "Iterator[ProofField]",
            self._pages(
                "/proofs",
                query={"site": site, "state": state, "path": path, "by": by, "limit": limit, "order": order, "q": q},
            ),
        )

    def bring(self, body: ProbeBody, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> ProbeTaken:
        """Bring what a probe tried."""
        return cast(
            "ProbeTaken",
            self._call(
                "POST", "/proofs", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )

    def results(
        self,
        *,
        site: str | None = None,
        origin: str | None = None,
        state: Literal["blocked", "leaking", "open", "closed", "unknown"] | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[ProofResult]:
        """Single answers, the newest first."""
        return cast(
            "Iterator[ProofResult]",
            self._pages(
                "/proofs/results",
                query={
                    "site": site,
                    "origin": origin,
                    "state": state,
                    "since": since,
                    "until": until,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def targets(self, *, site: str) -> ProbeTargets:
        """What a probe should try now."""
        return cast("ProbeTargets", self._call("GET", "/proofs/targets", query={"site": site}))

    def run(self, body: Selection, *, idempotency_key: str | None = None) -> ProvenDevices:
        """Ask firewalls now."""
        return cast(
            "ProvenDevices", self._call("POST", "/proofs/run", headers={"Idempotency-Key": idempotency_key}, body=body)
        )


class EpisodesRoutes:
    """The routes under ``/api/v1/episodes``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_episodes(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        kind: Literal[
            "use", "contact", "hits", "installed", "first-use", "spike", "evasion", "dormant", "leak", "outside-hours"
        ]
        | None = None,
        action: Literal["blocked", "monitored", "allowed-by-exception", "not-enforced", "unknown"] | None = None,
        source: str | None = None,
        host: str | None = None,
        user: str | None = None,
        pseudonym: str | None = None,
        role: str | None = None,
        app: str | None = None,
        surface: str | None = None,
        destination: str | None = None,
        exception: str | None = None,
        confidence: int | None = None,
        since: str | None = None,
        until: str | None = None,
        weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | None = None,
        hour: int | None = None,
        zone: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Episode]:
        """Episodes, the newest first."""
        return cast(
            "Iterator[Episode]",
            self._pages(
                "/episodes",
                query={
                    "site": site,
                    "device": device,
                    "kind": kind,
                    "action": action,
                    "source": source,
                    "host": host,
                    "user": user,
                    "pseudonym": pseudonym,
                    "role": role,
                    "app": app,
                    "surface": surface,
                    "destination": destination,
                    "exception": exception,
                    "confidence": confidence,
                    "since": since,
                    "until": until,
                    "weekday": weekday,
                    "hour": hour,
                    "zone": zone,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def get_episode(self, id: str) -> Episode:
        """One episode."""
        return cast("Episode", self._call("GET", f"/episodes/{_q(id)}"))


class ExportsRoutes:
    """The routes under ``/api/v1/exports``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_exports(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Export]:
        """All receivers of exports."""
        return cast("Iterator[Export]", self._pages("/exports", query={"limit": limit, "order": order, "q": q}))

    def get_export(self, name: str) -> Export:
        """One receiver of exports."""
        return cast("Export", self._call("GET", f"/exports/{_q(name)}"))

    def replay_export(
        self, name: str, body: ExportReplayBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> ExportReplayed:
        """Send again what was recorded since."""
        return cast(
            "ExportReplayed",
            self._call(
                "POST",
                f"/exports/{_q(name)}/replay",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class ReportsRoutes:
    """The routes under ``/api/v1/reports``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def site_report(
        self, name: str, *, from_: str | None = None, to: str | None = None, range: str | None = None
    ) -> dict[str, Any]:
        """The report of one site."""
        return cast(
            "dict[str, Any]",
            self._call("GET", f"/reports/sites/{_q(name)}", query={"from": from_, "to": to, "range": range}),
        )

    def fleet_report(
        self, *, from_: str | None = None, to: str | None = None, range: str | None = None, zone: str | None = None
    ) -> dict[str, Any]:
        """The report of the fleet."""
        return cast(
            "dict[str, Any]",
            self._call("GET", "/reports/fleet", query={"from": from_, "to": to, "range": range, "zone": zone}),
        )

    def scheduled_reports(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[ScheduledReport]:
        """Reports that go out by themselves."""
        return cast(
            "Iterator[ScheduledReport]",
            self._pages("/reports/scheduled", query={"limit": limit, "order": order, "q": q}),
        )

    def send_report(
        self, name: str, body: SendBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> Job:
        """Send one now."""
        return cast(
            "Job",
            self._call(
                "POST",
                f"/reports/scheduled/{_q(name)}/send",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class PacksRoutes:
    """The routes under ``/api/v1/packs``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def make_pack(self, body: PackBody, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Job:
        """Make an evidence pack."""
        return cast(
            "Job",
            self._call(
                "POST", "/packs", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )


class ReconciliationRoutes:
    """The routes under ``/api/v1/reconciliation``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def reconcile(self, *, site: str | None = None, from_: str | None = None, to: str | None = None) -> Reconciliation:
        """By what evidence told is installed."""
        return cast(
            "Reconciliation", self._call("GET", "/reconciliation", query={"site": site, "from": from_, "to": to})
        )

    def reconcile_list(self, body: ReconcileBody, *, idempotency_key: str | None = None) -> Reconciliation:
        """By a list of endpoints that is sent."""
        return cast(
            "Reconciliation",
            self._call("POST", "/reconciliation", headers={"Idempotency-Key": idempotency_key}, body=body),
        )


class UnmaskingsRoutes:
    """The routes under ``/api/v1/unmaskings``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_unmaskings(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Unmasking]:
        """Who asked to see whom, the newest first."""
        return cast("Iterator[Unmasking]", self._pages("/unmaskings", query={"limit": limit, "order": order, "q": q}))

    def ask_unmasking(
        self, body: UnmaskingBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> Unmasking:
        """Ask to see who it was."""
        return cast(
            "Unmasking",
            self._call(
                "POST",
                "/unmaskings",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def get_unmasking(self, id: str) -> Unmasking:
        """One of them."""
        return cast("Unmasking", self._call("GET", f"/unmaskings/{_q(id)}"))

    def identities(self, id: str) -> Identities:
        """Who it was."""
        return cast("Identities", self._call("GET", f"/unmaskings/{_q(id)}/identities"))

    def approve_unmasking(
        self,
        id: str,
        body: ConsentBody | None = None,
        *,
        dry_run: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Unmasking:
        """Let it be seen."""
        return cast(
            "Unmasking",
            self._call(
                "POST",
                f"/unmaskings/{_q(id)}/approve",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def deny_unmasking(
        self, id: str, body: ReasonBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> Unmasking:
        """Do not let it be seen."""
        return cast(
            "Unmasking",
            self._call(
                "POST",
                f"/unmaskings/{_q(id)}/deny",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def end_unmasking(self, id: str, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Unmasking:
        """End it before its time."""
        return cast(
            "Unmasking",
            self._call(
                "POST",
                f"/unmaskings/{_q(id)}/end",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
            ),
        )


class RetentionRoutes:
    """The routes under ``/api/v1/retention``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_retention(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[SiteRetention]:
        """What each site keeps, and what goes next."""
        return cast(
            "Iterator[SiteRetention]", self._pages("/retention", query={"limit": limit, "order": order, "q": q})
        )

    def get_retention(self, name: str) -> SiteRetention:
        """What one site keeps, and what goes next."""
        return cast("SiteRetention", self._call("GET", f"/retention/{_q(name)}"))


class TokensRoutes:
    """The routes under ``/api/v1/tokens``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_tokens(
        self,
        *,
        usable: bool | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Token]:
        """All tokens."""
        return cast(
            "Iterator[Token]", self._pages("/tokens", query={"usable": usable, "limit": limit, "order": order, "q": q})
        )

    def create_token(
        self, body: TokenBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> NewToken:
        """Make a token."""
        return cast(
            "NewToken",
            self._call(
                "POST", "/tokens", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )

    def get_token(self, id: str) -> Token:
        """One token."""
        return cast("Token", self._call("GET", f"/tokens/{_q(id)}"))

    def revoke_token(
        self, id: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Token:
        """Revoke a token."""
        return cast(
            "Token",
            self._call(
                "DELETE",
                f"/tokens/{_q(id)}",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def rotate_token(
        self,
        id: str,
        body: RotateBody | None = None,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> NewToken:
        """Give a token another secret."""
        return cast(
            "NewToken",
            self._call(
                "POST",
                f"/tokens/{_q(id)}/rotate",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class PeopleRoutes:
    """The routes under ``/api/v1/people``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_people(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Person]:
        """All people who have signed in or may."""
        return cast("Iterator[Person]", self._pages("/people", query={"limit": limit, "order": order, "q": q}))

    def get_person(self, name: str) -> Person:
        """One person."""
        return cast("Person", self._call("GET", f"/people/{_q(name)}"))

    def edit_person(
        self,
        name: str,
        body: PersonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Change what a person may."""
        return cast(
            "Person",
            self._call(
                "PATCH",
                f"/people/{_q(name)}",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def disable_person(
        self,
        name: str,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Disable a person."""
        return cast(
            "Person",
            self._call(
                "POST",
                f"/people/{_q(name)}/disable",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def enable_person(
        self,
        name: str,
        body: ReasonBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Enable a person again."""
        return cast(
            "Person",
            self._call(
                "POST",
                f"/people/{_q(name)}/enable",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def unlock_person(
        self, name: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Person:
        """Let a person try their password again."""
        return cast(
            "Person",
            self._call(
                "POST",
                f"/people/{_q(name)}/unlock",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def sign_out_person(
        self, name: str, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> SignedOut:
        """End every session of a person."""
        return cast(
            "SignedOut",
            self._call(
                "POST",
                f"/people/{_q(name)}/sign-out",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
            ),
        )


class SessionsRoutes:
    """The routes under ``/api/v1/sessions``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_sessions(
        self,
        *,
        person: str | None = None,
        open: bool | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Session]:
        """Sessions, the newest first."""
        return cast(
            "Iterator[Session]",
            self._pages("/sessions", query={"person": person, "open": open, "limit": limit, "order": order, "q": q}),
        )

    def end_session(self, id: str, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> Session:
        """End a session."""
        return cast(
            "Session",
            self._call(
                "DELETE",
                f"/sessions/{_q(id)}",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
            ),
        )


class MeRoutes:
    """The routes under ``/api/v1/me``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def get_me(self) -> Me:
        """Who asks, and what they may."""
        return cast("Me", self._call("GET", "/me"))

    def my_sessions(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Session]:
        """One's own open sessions."""
        return cast("Iterator[Session]", self._pages("/me/sessions", query={"limit": limit, "order": order, "q": q}))

    def sign_out_everywhere(self, *, dry_run: bool | None = None, idempotency_key: str | None = None) -> SignedOut:
        """End one's own sessions."""
        return cast(
            "SignedOut",
            self._call(
                "POST", "/me/sign-out", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}
            ),
        )

    def my_tokens(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Token]:
        """One's own tokens."""
        return cast("Iterator[Token]", self._pages("/me/tokens", query={"limit": limit, "order": order, "q": q}))

    def make_my_token(
        self, body: OwnTokenBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> NewToken:
        """Make a token of one's own."""
        return cast(
            "NewToken",
            self._call(
                "POST",
                "/me/tokens",
                query={"dry_run": dry_run},
                headers={"Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def my_token(self, id: str) -> Token:
        """One of one's own tokens."""
        return cast("Token", self._call("GET", f"/me/tokens/{_q(id)}"))

    def revoke_my_token(
        self, id: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Token:
        """Revoke it."""
        return cast(
            "Token",
            self._call(
                "DELETE",
                f"/me/tokens/{_q(id)}",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def rotate_my_token(
        self,
        id: str,
        body: RotateBody | None = None,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> NewToken:
        """Give it another secret."""
        return cast(
            "NewToken",
            self._call(
                "POST",
                f"/me/tokens/{_q(id)}/rotate",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class AuditRoutes:
    """The routes under ``/api/v1/audit``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_entries(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[AuditEntry]:
        """Entries, the newest first."""
        return cast(
            "Iterator[AuditEntry]",
            self._pages(
                "/audit",
                query={
                    "actor": actor,
                    "action": action,
                    "subject": subject,
                    "since": since,
                    "until": until,
                    "limit": limit,
                    "order": order,
                    "q": q,
                },
            ),
        )

    def verify(self) -> AuditVerdict:
        """Check the whole chain."""
        return cast("AuditVerdict", self._call("GET", "/audit/verify"))


class ConfigRoutes:
    """The routes under ``/api/v1/config``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def config_drift(self) -> ConfigDrift:
        """What the files say, and what is in force."""
        return cast("ConfigDrift", self._call("GET", "/config/drift"))


class WebhooksRoutes:
    """The routes under ``/api/v1/webhooks``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_webhooks(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[Webhook]:
        """All webhooks."""
        return cast("Iterator[Webhook]", self._pages("/webhooks", query={"limit": limit, "order": order, "q": q}))

    def add_webhook(
        self, body: WebhookBody, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> Webhook:
        """Subscribe a receiver."""
        return cast(
            "Webhook",
            self._call(
                "POST", "/webhooks", query={"dry_run": dry_run}, headers={"Idempotency-Key": idempotency_key}, body=body
            ),
        )

    def get_webhook(self, name: str) -> Webhook:
        """One webhook."""
        return cast("Webhook", self._call("GET", f"/webhooks/{_q(name)}"))

    def edit_webhook(
        self,
        name: str,
        body: WebhookEditBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Change where it is and what it is told."""
        return cast(
            "Webhook",
            self._call(
                "PATCH",
                f"/webhooks/{_q(name)}",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def remove_webhook(
        self, name: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Webhook:
        """Remove a webhook."""
        return cast(
            "Webhook",
            self._call(
                "DELETE",
                f"/webhooks/{_q(name)}",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def rotate_secret(
        self,
        name: str,
        body: RotateSecretBody,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Sign by another key."""
        return cast(
            "Webhook",
            self._call(
                "POST",
                f"/webhooks/{_q(name)}/rotate",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )

    def resume_webhook(
        self, name: str, *, dry_run: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Webhook:
        """Send again at once, also to a paused one."""
        return cast(
            "Webhook",
            self._call(
                "POST",
                f"/webhooks/{_q(name)}/resume",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            ),
        )

    def test_webhook(self, name: str, *, idempotency_key: str | None = None) -> Tried:
        """Send one test message now."""
        return cast(
            "Tried", self._call("POST", f"/webhooks/{_q(name)}/test", headers={"Idempotency-Key": idempotency_key})
        )

    def list_deliveries(
        self,
        name: str,
        *,
        state: Literal["pending", "delivered", "dead"] | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        q: str | None = None,
    ) -> Iterator[Delivery]:
        """Messages, the newest first."""
        return cast(
            "Iterator[Delivery]",
            self._pages(
                f"/webhooks/{_q(name)}/deliveries", query={"state": state, "limit": limit, "order": order, "q": q}
            ),
        )

    def replay(
        self,
        name: str,
        body: ReplayBody | None = None,
        *,
        dry_run: bool | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> WebhookModelsReplayed:
        """Send messages again."""
        return cast(
            "WebhookModelsReplayed",
            self._call(
                "POST",
                f"/webhooks/{_q(name)}/replay",
                query={"dry_run": dry_run},
                headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
                body=body,
            ),
        )


class FeedGroupsRoutes:
    """The routes under ``/api/v1/feed-groups``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def list_groups(
        self, *, limit: int | None = None, order: Literal["asc", "desc"] | None = None, q: str | None = None
    ) -> Iterator[FeedGroup]:
        """All groups of devices with one address of lists."""
        return cast("Iterator[FeedGroup]", self._pages("/feed-groups", query={"limit": limit, "order": order, "q": q}))

    def get_group(self, name: str) -> FeedGroup:
        """One group of devices with one address of lists."""
        return cast("FeedGroup", self._call("GET", f"/feed-groups/{_q(name)}"))


class HealthRoutes:
    """The routes under ``/api/v1/health``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

    def health(self) -> Health:
        """Whether the process does its work, and what is wrong."""
        return cast("Health", self._call("GET", "/health"))


class Operations:
    """Every operation, by the first word of its path."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self.check = CheckRoutes(call, pages)
        self.sites = SitesRoutes(call, pages)
        self.policies = PoliciesRoutes(call, pages)
        self.calendars = CalendarsRoutes(call, pages)
        self.devices = DevicesRoutes(call, pages)
        self.snapshots = SnapshotsRoutes(call, pages)
        self.sources = SourcesRoutes(call, pages)
        self.intel = IntelRoutes(call, pages)
        self.plans = PlansRoutes(call, pages)
        self.runs = RunsRoutes(call, pages)
        self.jobs = JobsRoutes(call, pages)
        self.feeds = FeedsRoutes(call, pages)
        self.drift = DriftRoutes(call, pages)
        self.exceptions = ExceptionsRoutes(call, pages)
        self.emergencies = EmergenciesRoutes(call, pages)
        self.events = EventsRoutes(call, pages)
        self.evidence = EvidenceRoutes(call, pages)
        self.coverage = CoverageRoutes(call, pages)
        self.proofs = ProofsRoutes(call, pages)
        self.episodes = EpisodesRoutes(call, pages)
        self.exports = ExportsRoutes(call, pages)
        self.reports = ReportsRoutes(call, pages)
        self.packs = PacksRoutes(call, pages)
        self.reconciliation = ReconciliationRoutes(call, pages)
        self.unmaskings = UnmaskingsRoutes(call, pages)
        self.retention = RetentionRoutes(call, pages)
        self.tokens = TokensRoutes(call, pages)
        self.people = PeopleRoutes(call, pages)
        self.sessions = SessionsRoutes(call, pages)
        self.me = MeRoutes(call, pages)
        self.audit = AuditRoutes(call, pages)
        self.config = ConfigRoutes(call, pages)
        self.webhooks = WebhooksRoutes(call, pages)
        self.feed_groups = FeedGroupsRoutes(call, pages)
        self.health = HealthRoutes(call, pages)
