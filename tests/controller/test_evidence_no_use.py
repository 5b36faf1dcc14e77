"""What is no use, each alone and each in all its ways: a pixel, a kit, a copied agent, a shared address, a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.evidence.correlating import LIKELY, Draft, dumps, episode_of, fold, loads, signs_of
from controller.evidence.model import Channel, EpisodeAction, EpisodeKind, Sighting, Verdict
from tests.controller.seeing import API, AT_API, OWN, asked, denied, drafts, hello, judge, seen

AGENT = "com.zhiliaoapp.musically/2023401020 (Linux; U; Android 14; en_US; Pixel 8; Build/UQ1A; Cronet/58.0.2991.0)"
EMBED = "www.tiktok.com"


def request(name: str, destination: str = "198.51.100.9", **fields: object) -> Sighting:
    said = {"destination": destination, "port": 80, "answered": True} | fields
    return seen(Channel.HTTP, 1, name=name, **said)  # type: ignore[arg-type]


def flow(destination: str, seconds: float = 2, **fields: object) -> Sighting:
    said = {"port": 443, "protocol": "tcp", "answered": True, "octets": 90_000} | fields
    return seen(Channel.FLOW, seconds, destination=destination, **said)  # type: ignore[arg-type]


def everywhere(name: str, at: str) -> list[Sighting]:
    """One name in every way that a network sees it."""
    return [
        asked(name, 0, at),
        hello(name, 1, destination=at, answered=True, port=443),
        seen(Channel.QUIC, 1, name=name, destination=at, answered=True, port=443, protocol="udp"),
        seen(Channel.PROXY, 1, name=name, verdict=Verdict.ALLOWED),
        flow(at),
        denied(at, 3),
    ]


SHARED = "23.201.31.148"  # at a content network
NOT_USE = [
    pytest.param(everywhere("analytics.tiktok.com", SHARED), id="the-pixel-of-a-shop"),
    pytest.param(everywhere("lf16-tiktok-web.ttwstatic.com", SHARED), id="static-parts-of-an-embed"),
    pytest.param(everywhere("api16-access-sg.pangle.io", SHARED), id="an-advertising-kit"),
    pytest.param(everywhere("sf16-fe-tiktok-ad-sdk.pangle.io", SHARED), id="a-kit-whose-name-says-tiktok"),
    pytest.param([request("shop.example.org", agent=AGENT)], id="a-copied-agent"),
    pytest.param([request("shop.example.org", agent=AGENT, path="/aweme/v1/feed/?aid=1233")], id="and-a-copied-path"),
    pytest.param([flow(SHARED), denied(SHARED), hello("www.example.com", destination=SHARED)], id="a-shared-address"),
    pytest.param([asked("www.example.com", 0, SHARED), flow(SHARED)], id="asked-for-by-another-name"),
    pytest.param([asked(API, 0, SHARED, source="10.20.3.7"), flow(SHARED)], id="that-another-client-asked-for"),
    pytest.param([asked(API, 0, SHARED), asked(API, 9, SHARED)], id="a-question-however-often"),
    pytest.param([asked(API), asked(EMBED), asked("v16m.tiktokcdn-us.com")], id="questions-for-everything"),
    pytest.param([asked(API, 0, "0.0.0.0", verdict=Verdict.BLOCKED)], id="a-question-that-was-refused"),
    pytest.param([hello("www.example.com", destination=OWN)], id="a-foreign-name-at-an-own-address"),
    pytest.param(everywhere("tiktokio.com", "198.51.100.7"), id="a-lookalike"),
    pytest.param(everywhere("www.larksuite.com", SHARED), id="an-office-suite"),
    pytest.param(
        [
            *everywhere("analytics.tiktok.com", SHARED),
            *everywhere("api16-access-sg.pangle.io", SHARED),
            request("shop.example.org", agent=AGENT),
        ],
        id="all-of-them-together",
    ),
]


@pytest.mark.parametrize("told", NOT_USE)
def test_what_is_no_use_makes_no_episode_of_use(told: list[Sighting], tmp_path: Path) -> None:
    for draft in drafts(judge(tmp_path), told):
        episode = episode_of(draft)
        assert episode.kind is EpisodeKind.CONTACT, episode.grounds
        assert episode.confidence < LIKELY
        total = sum(ground.weight for ground in episode.grounds)
        assert episode.confidence == max(0, total), "the reasons add up to it"


def test_the_same_ways_of_a_host_of_the_app_are_use(tmp_path: Path) -> None:
    """That the list above can fail."""
    (draft,) = drafts(judge(tmp_path), everywhere(API, SHARED))
    assert episode_of(draft).kind is EpisodeKind.USE


def test_a_question_with_its_connection_is_use_and_without_one_a_contact(tmp_path: Path) -> None:
    (alone,) = drafts(judge(tmp_path), [asked(API, 0, AT_API)])
    assert (episode_of(alone).kind, episode_of(alone).confidence) == (EpisodeKind.CONTACT, LIKELY - 1)
    (both,) = drafts(judge(tmp_path), [asked(API, 0, AT_API), flow(AT_API)])
    assert (episode_of(both).kind, episode_of(both).confidence) == (EpisodeKind.USE, 60 + 15 + 5)


def test_a_refused_question_is_a_contact_that_was_blocked(tmp_path: Path) -> None:
    (draft,) = drafts(judge(tmp_path), [asked(API, verdict=Verdict.BLOCKED)])
    assert (episode_of(draft).kind, episode_of(draft).action) == (EpisodeKind.CONTACT, EpisodeAction.BLOCKED)


@pytest.mark.parametrize("flow_first", [True, False])
def test_a_script_stays_one_when_its_flow_is_told_apart(tmp_path: Path, *, flow_first: bool) -> None:
    """At an own address a flow alone is use; that its request came of a script, another log says, in another batch."""
    judged = judge(tmp_path)
    script = request(API, OWN, uid="C7", agent="com.zhiliaoapp.musically/2022600030 tt-ok/3.12.13.1")
    told = [flow(OWN, 1, uid="C7"), script]
    open_: list[Draft] = []
    for one in told if flow_first else told[::-1]:
        kept = [loads(episode_of(draft), draft.client, dumps(draft)) for draft in open_]
        open_ = fold(kept, signs_of(judged, [one]).signs) or kept
    (apart,), (together,) = open_, drafts(judged, told)
    one, other = episode_of(apart), episode_of(together)
    assert (one.kind, one.count, one.destinations) == (EpisodeKind.CONTACT, 2, (API,))
    for name in ("kind", "confidence", "count", "octets"):
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize(
    "flow_",
    [
        pytest.param(flow(SHARED, 45 * 60), id="long-after-the-answer"),
        pytest.param(flow(SHARED, uid="C2"), id="its-own-hello-names-another"),
        pytest.param(flow(SHARED, source_port=4711), id="the-same-by-its-port"),
    ],
)
def test_an_answer_names_no_connection_of_something_else(flow_: Sighting, tmp_path: Path) -> None:
    """The client asked for the app's host, and speaks with another site at the same address of a content network."""
    other = hello("www.example.com", 1, destination=SHARED, uid="C2", source_port=4711, port=443)
    (draft,) = drafts(judge(tmp_path), [asked(API, 0, SHARED), other, flow_])
    assert (episode_of(draft).kind, episode_of(draft).octets) == (EpisodeKind.CONTACT, None)
