"""From sightings to episodes: every label of the made-up morning right, and the laws of correlation."""

from __future__ import annotations

import csv
import random
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.evidence import correlating
from controller.evidence.correlating import LENGTH, OTHERS, Draft, dumps, episode_of, fold, loads, signs_of
from controller.evidence.judging import IN_APP, Outcome
from controller.evidence.model import Channel, EpisodeAction, EpisodeKind, Sighting, Verdict
from core.ids import SiteName
from ipsets.traits import Shows
from tests.controller.offices import NIGHT, NOON
from tests.controller.seeing import (
    API,
    AT_API,
    LABELS,
    OWN,
    PHONE,
    asked,
    denied,
    drafts,
    hello,
    judge,
    marketing,
    morning,
    plain,
    seen,
)

ZEEK = ("zeek-conn.log", "zeek-dns.log", "zeek-ssl.log", "zeek-quic.log", "zeek-http.log")
SHOWN = {
    "use-app": Shows.USE_APP,
    "use-app-blocked": Shows.USE_APP,
    "use-app-hint": Shows.HINT,
    "use-web": Shows.USE_WEB,
    "use-app-inferred": Shows.USE_INFERRED,
    "exception-marketing": Shows.USE_WEB,
    "capcut": Shows.OTHER_APP,
    "script-spoof": Shows.SCRIPT,
    "not-use-pixel": Shows.PIXEL,
    "not-use-sdk": Shows.SDK,
}
"""What a label is told as; all others make nothing at all."""


def labels() -> list[dict[str, str]]:
    with LABELS.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("files", [ZEEK, ("suricata-eve.json",)], ids=["zeek", "suricata"])
def test_every_label_of_the_morning_is_right(files: tuple[str, ...], tmp_path: Path) -> None:
    found = drafts(judge(tmp_path, marketing()), morning(*files))
    by_thread = {(d.source, name): (d, thread) for d in found for name, thread in d.threads.items()}
    expected = set()
    for row in labels():
        label = row["label"]
        name = IN_APP if label == "use-app-inferred" else row["name"] or row["dst"]
        if label not in SHOWN:
            continue
        expected.add((row["src"], name))
        draft, thread = by_thread[row["src"], name]
        episode = episode_of(draft)
        assert thread.shows is SHOWN[label], row
        assert (episode.kind is EpisodeKind.USE) is (thread.shows not in (Shows.SCRIPT, Shows.PIXEL, Shows.SDK)), row
        assert (episode.action is EpisodeAction.EXCEPTED) is (label == "exception-marketing"), row
        assert (episode.exception is not None) is (label == "exception-marketing"), row
        assert (episode.action is EpisodeAction.BLOCKED) is (label == "use-app-blocked"), row
        assert episode.app == {"capcut": "capcut", "not-use-sdk": "pangle"}.get(label, "tiktok")
    assert set(by_thread) == expected, "nothing of lark, the cloud, a shared address or a lookalike"


def test_what_is_no_use_stays_below_what_is(tmp_path: Path) -> None:
    """The copied agent, though its name, address and path are TikTok's own."""
    (script,) = [d for d in drafts(judge(tmp_path), morning(*ZEEK)) if d.source == "10.20.66.6"]
    episode = episode_of(script)
    assert (episode.kind, episode.confidence) == (EpisodeKind.CONTACT, 15)
    assert sum(g.weight for g in episode.grounds) == 15, "the reasons add up to it"


def test_a_deny_a_question_and_a_hello_of_one_host_are_one_episode(tmp_path: Path) -> None:
    told = [
        asked(API, 0, AT_API),
        hello(API, 1, destination=AT_API, source_port=4711, port=443),
        denied(AT_API, 2, source_port=4711),  # only the connection says what it was
    ]
    (draft,) = drafts(judge(tmp_path), told)
    episode = episode_of(draft)
    assert list(draft.threads) == [API]
    assert (episode.kind, episode.action, episode.count) == (EpisodeKind.USE, EpisodeAction.BLOCKED, 3)
    assert episode.channels == (Channel.DNS, Channel.FIREWALL, Channel.TLS)
    assert episode.confidence == 60 + 15 + 5 + 5 == sum(ground.weight for ground in episode.grounds)
    assert (episode.site, episode.role, str(episode.source)) == ("berlin", "company", PHONE)


def test_an_address_that_two_had_within_one_episode_names_neither(tmp_path: Path) -> None:
    """A lease that went on, a server that many sign in to: whose the use was, the address does not say."""
    first = denied(OWN, 0, host="phone-b.corp.example", user="CORP\\bert")
    same = denied(OWN, 60, host="PHONE-B", user="bert@corp.example")
    second = denied(OWN, 120, host="phone-a", user="anna")
    nobody = denied(OWN, 180)
    for told in ([first, same, nobody], [nobody, same, first]):
        (draft,) = drafts(judge(tmp_path), told)
        assert (episode_of(draft).host, episode_of(draft).user) == ("PHONE-B", "CORP\\bert")
    for told in ([first, same, second, nobody], [second, nobody, same, first]):
        (draft,) = drafts(judge(tmp_path), told)
        episode = episode_of(draft)
        assert (episode.host, episode.user, str(episode.source)) == ("", "", PHONE)
        assert {"rule:hosts", "rule:users"} <= {ground.trait for ground in episode.grounds}
        assert episode.confidence == sum(ground.weight for ground in episode.grounds)
        (later,) = fold([loads(episode, draft.client, dumps(draft))], signs_of(judge(tmp_path), [same]).signs)
        assert (episode_of(later).host, episode_of(later).user) == ("", ""), "not named again by what comes later"


def test_an_answer_names_a_later_flow_unless_another_name_has_the_address_too(tmp_path: Path) -> None:
    flow = seen(Channel.FLOW, 5, destination=AT_API, octets=900, answered=True, port=443)
    (draft,) = drafts(judge(tmp_path), [asked(API, 0, AT_API), flow])
    assert (list(draft.threads), draft.threads[API].octets) == ([API], 900)
    both = [asked(API, 0, AT_API), asked("www.example.com", 1, AT_API), flow]
    (draft,) = drafts(judge(tmp_path), both)
    assert draft.threads[API].octets is None, "it may have been the other one"


def test_a_resolvers_own_connection_is_none_to_the_app(tmp_path: Path) -> None:
    question = asked(API, 0, AT_API, uid="D1", destination="10.20.0.53", port=53)
    flow = seen(Channel.FLOW, 0, destination="10.20.0.53", port=53, uid="D1", answered=True, octets=100)
    (draft,) = drafts(judge(tmp_path), [question, flow])
    assert (episode_of(draft).count, episode_of(draft).action) == (1, EpisodeAction.UNKNOWN)


def test_a_question_alone_says_less(tmp_path: Path) -> None:
    (media,) = drafts(judge(tmp_path), [asked("v16m.tiktokcdn-us.com")])
    episode = episode_of(media)
    assert (episode.kind, episode.confidence) == (EpisodeKind.CONTACT, 35)


def test_a_foreign_name_at_an_own_address_is_no_use(tmp_path: Path) -> None:
    (draft,) = drafts(judge(tmp_path), [hello("www.example.com", destination=OWN)])
    assert (episode_of(draft).kind, episode_of(draft).confidence) == (EpisodeKind.CONTACT, 20)


def test_what_becomes_of_it_is_asked_of_the_policy_then(tmp_path: Path) -> None:
    def action(**fields: object) -> EpisodeAction:
        (draft,) = drafts(judge(tmp_path), [hello(**fields)])  # type: ignore[arg-type]
        return episode_of(draft).action

    assert action(answered=True) is EpisodeAction.NOT_ENFORCED
    assert action(answered=True, start=NIGHT) is EpisodeAction.MONITORED, "the company's mode at night"
    assert action(answered=True, source="10.20.9.7") is EpisodeAction.NOT_ENFORCED, "guests are let be"
    assert action(answered=False) is EpisodeAction.BLOCKED
    assert action(answered=False, start=NIGHT) is EpisodeAction.UNKNOWN, "nothing there blocks by night"
    assert action() is EpisodeAction.UNKNOWN
    assert action(verdict=Verdict.ALLOWED) is EpisodeAction.NOT_ENFORCED


def test_a_firewalls_word_goes_before_an_answer(tmp_path: Path) -> None:
    told = [hello(API, 0, destination=AT_API, answered=True), hello(API, 1, verdict=Verdict.BLOCKED)]
    (draft,) = drafts(judge(tmp_path), told)
    assert episode_of(draft).action is EpisodeAction.BLOCKED
    (draft,) = drafts(judge(tmp_path), [hello(verdict=Verdict.ALLOWED), *told])
    assert episode_of(draft).action is EpisodeAction.NOT_ENFORCED, "some of it passed by the firewall's own word"


def test_an_exception_covers_its_sources_surface_and_time_alone(tmp_path: Path) -> None:
    ads = marketing(surface="ads-manager", starts=NOON, ends=NIGHT)
    judged = judge(tmp_path, ads)

    def covered(name: str, source: str = "10.20.5.5", start: object = NOON) -> tuple[object, bool]:
        (sign,) = signs_of(judged, [hello(name, source=source, start=start)]).signs  # type: ignore[arg-type]
        return sign.exception, sign.outside is not None

    assert covered("ads.tiktok.com") == (ads.id, False)
    assert covered("www.tiktok.com") == (None, False)
    assert covered("ads.tiktok.com", source="10.20.6.5") == (None, False)
    assert covered("ads.tiktok.com", start=NIGHT) == (None, True)


def test_where_somebody_goes_in_the_apps_browser_is_not_kept(tmp_path: Path) -> None:
    agent = "Mozilla/5.0 musical_ly_34.1.0 BytedanceWebview/d8a21c6"
    page = seen(Channel.HTTP, name="private.example.org", destination="198.51.100.20", agent=agent, path="/x")
    (draft,) = drafts(judge(tmp_path), [page])
    assert "example" not in dumps(draft) + repr(episode_of(draft))
    assert episode_of(draft).kind is EpisodeKind.USE


def test_a_client_of_no_site_is_a_stranger_if_it_says_something(tmp_path: Path) -> None:
    told = [hello(source="192.168.7.7"), hello("www.example.com", source="192.168.7.7")]
    judged = signs_of(judge(tmp_path), told)
    assert (judged.signs, judged.strangers) == ((), (told[0],))


# --- laws -------------------------------------------------------------------------------------------------------------

NAMES = (API, "www.tiktok.com", "analytics.tiktok.com", "www.example.com", "edit-api-sg.capcut.com", "tiktokio.com")


@st.composite
def sightings(draw: st.DrawFn) -> Sighting:
    second = draw(st.integers(0, int(LENGTH.total_seconds())))
    source = draw(st.sampled_from(["10.20.3.1", "10.20.3.2", "10.30.3.3"]))
    port = draw(st.sampled_from([1, 2]))
    match draw(st.integers(0, 3)):
        case 0:
            return asked(draw(st.sampled_from(NAMES)), second, draw(st.sampled_from([AT_API, OWN])), source=source)
        case 1:
            where = {"destination": AT_API, "port": 443, "source_port": port}
            return hello(draw(st.sampled_from(NAMES)), second, source=source, **where)
        case 2:
            return denied(draw(st.sampled_from([AT_API, OWN])), second, source=source, source_port=port)
        case _:
            answered = draw(st.sampled_from([True, False, None]))
            return seen(Channel.FLOW, second, destination=AT_API, source=source, octets=7, answered=answered)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(sightings(), max_size=14), st.randoms())
def test_the_order_does_not_matter(tmp_path: Path, told: list[Sighting], rng: random.Random) -> None:
    judged = judge(tmp_path)
    shuffled = rng.sample(told, len(told))
    one, other = (drafts(judged, given_) for given_ in (told, shuffled))
    assert [episode_of(d) for d in one] == [episode_of(d) for d in other]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(sightings(), max_size=14), st.randoms(), st.integers(1, 5))
def test_nor_does_it_matter_in_how_many_batches_it_comes(
    tmp_path: Path, told: list[Sighting], rng: random.Random, size: int
) -> None:
    """Of signs that are known; what has no name may be known only later."""
    signs = list(signs_of(judge(tmp_path), told).signs)
    whole = fold([], signs)
    open_: dict[str, Draft] = {}
    rng.shuffle(signs)
    for start in range(0, len(signs), size):
        kept = [loads(episode_of(d), d.client, dumps(d)) for d in open_.values()]
        open_ |= {d.id: d for d in fold(kept, signs[start : start + size])}
    assert plain(map(episode_of, open_.values())) == plain(map(episode_of, whole))


def test_what_lies_further_apart_is_another_episode(tmp_path: Path) -> None:
    seconds = LENGTH.total_seconds()
    found = drafts(judge(tmp_path), [hello(seconds=0), hello(seconds=seconds), hello(seconds=seconds + 1)])
    assert [episode_of(d).count for d in found] == [2, 1]
    assert len({d.id for d in found}) == 2


def test_a_flood_of_names_and_clients_is_bounded_and_every_sighting_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlating, "OPEN_MOST", 20)
    told = [hello(f"h{n % 97}.tiktokv.com", n % 60, source=f"10.20.{n % 90}.{n % 200}") for n in range(3_000)]
    found = drafts(judge(tmp_path), told)
    episodes = [episode_of(d) for d in found]
    assert len(found) == 20 + 1
    assert sum(e.count or 0 for e in episodes) == 3_000
    assert max(len(d.threads) for d in found) <= correlating.THREADS_MOST + 1
    (summed,) = [e for e in episodes if e.source is None]
    assert "rule:overflow" in [g.trait for g in summed.grounds]
    assert summed.destinations[-1] == OTHERS
    assert fold([], signs_of(judge(tmp_path), told).signs, open_at=lambda *_: 20)[0].is_overflow


def test_spoofed_clients_do_not_hide_a_real_one_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlating, "OPEN_MOST", 5)
    known = drafts(judge(tmp_path), [hello()])
    flood = [hello(seconds=1, source=f"10.20.{n // 200}.{n % 200 + 1}") for n in range(1_000)]
    signs = signs_of(judge(tmp_path), [*flood, hello(seconds=2)]).signs
    (mine,) = [d for d in fold(known, signs, open_at=lambda *_: 1) if d.source == PHONE]
    assert episode_of(mine).count >= 2


def test_a_draft_comes_back_as_it_was(tmp_path: Path) -> None:
    for draft in drafts(judge(tmp_path, marketing()), morning(*ZEEK)):
        again = loads(episode_of(draft), draft.client, dumps(draft))
        assert again == draft
        assert episode_of(again) == episode_of(draft)


def test_passing_where_nothing_is_enforced_is_no_leak(tmp_path: Path) -> None:
    (draft,) = drafts(judge(tmp_path), [hello(answered=True, source="10.20.9.7")])
    assert correlating.outcomes(draft) == {Outcome.PASSED: 1}
    (draft,) = drafts(judge(tmp_path), [hello("edit-api-sg.capcut.com", answered=True)])
    assert correlating.outcomes(draft) == {Outcome.PASSED: 1}, "no policy there means this app"
    assert draft.site == SiteName("berlin")
    assert draft.end - draft.start == timedelta()
