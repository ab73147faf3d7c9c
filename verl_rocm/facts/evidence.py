"""Evidence of a record: where it can be read again, and on which day it was."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Repository = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Positive = Annotated[int, Field(ge=1)]


def _not_in_future(day: datetime.date) -> datetime.date:
    if day > datetime.date.today() + datetime.timedelta(days=1):  # one day for time zones
        raise ValueError(f"{day} lies in the future; write the day on which the source was read")
    return day


Day = Annotated[datetime.date, AfterValidator(_not_in_future)]


class Record(BaseModel):
    """Base of all models: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Release(Record):
    """A line of a file in a published release."""

    type: Literal["release"]
    project: Literal["vllm", "verl", "ray", "torch"]
    release: Text
    file: Text
    line: Positive
    text: Text
    read: Day
    note: str = ""


class Source(Record):
    """A line of a file in a repository at a commit, where no release carries it."""

    type: Literal["source"]
    repo: Repository
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,40}$")]
    file: Text
    line: Positive
    read: Day
    note: str = ""


class Thread(Record):
    """An issue or a pull request."""

    type: Literal["issue", "pr"]
    repo: Repository
    number: Positive
    read: Day
    state: Literal["open", "closed", "merged", "unknown"] = "unknown"
    note: str = ""


class Page(Record):
    """A page of a vendor's or a project's documentation."""

    type: Literal["page"]
    url: Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")]
    read: Day
    published: Day | None = None
    note: str = ""


class OwnRecord(Record):
    """A block of this guide whose run is kept under ``records/``: ``how_to/choose_the_gpus.py:worker``."""

    type: Literal["record"]
    region: Annotated[str, StringConstraints(pattern=r"^[\w/]+\.\w+:[a-z0-9_]+$")]
    read: Day
    note: str = ""


Evidence = Annotated[Release | Source | Thread | Page | OwnRecord, Field(discriminator="type")]
Proof = Annotated[list[Evidence], Field(min_length=1)]
