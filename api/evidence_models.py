"""What became of evidence that was uploaded, over the wire."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.models import Answer
from controller import upload_desk
from controller.evidence.model import Quarantine, Rejected


class SetAsideSample(Answer):
    """One record that was no evidence, and why."""

    why: Quarantine
    text: str = Field(description="its beginning, made printable")
    detail: str

    @classmethod
    def of(cls, rejected: Rejected) -> SetAsideSample:
        return cls(why=rejected.why, text=rejected.text, detail=rejected.detail)


class EvidenceTaken(Answer):
    """How many records were taken, and how many were not."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "zeek",
                    "sightings": 1204,
                    "passed_over": 9,
                    "set_aside": {"unreadable": 1},
                    "samples": [
                        {
                            "why": "unreadable",
                            "text": "1788249600.0 C0001a 10.20.3",
                            "detail": "line 1214: the last line has no end: it was cut off",
                        }
                    ],
                }
            ]
        }
    )

    format: str = Field(description="as named, or as found")
    sightings: int = Field(description="records that tell of a client: they were brought to be judged")
    passed_over: int = Field(description="records that were understood and tell of nobody: headers, statistics")
    set_aside: dict[str, int] = Field(description="how many records are no evidence, by reason")
    samples: tuple[SetAsideSample, ...] = Field(description="the first three of each reason")

    @classmethod
    def of(cls, uploaded: upload_desk.Uploaded) -> EvidenceTaken:
        return cls(
            format=uploaded.format,
            sightings=uploaded.sightings,
            passed_over=uploaded.passed_over,
            set_aside={why.value: count for why, count in uploaded.set_aside.items()},
            samples=tuple(SetAsideSample.of(one) for one in uploaded.samples),
        )
