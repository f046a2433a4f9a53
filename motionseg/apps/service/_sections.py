"""The sections of a configuration: what may stand in them, in which unit and range, and what is so by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from motionseg.apps.service._camera_sections import CameraSection
from motionseg.apps.service._complaints import Complaint, complain, nearest
from motionseg.apps.service._fields import (
    File,
    Flag,
    Host,
    Integer,
    Label,
    Name,
    Number,
    Secret,
    Section,
    Text,
    Topic,
    check_address,
    is_loopback,
    placed,
    shown_address,
)
from motionseg.events.rules import VERDICT_RULES

__all__ = ["Config", "JsonlSection", "MqttSection", "RecordingsSection", "ServiceSection", "StoreSection"]
__all__ += ["WebhookSection"]

_EMPTY: Any = {}  # a table that is left out is an empty one, checked as that
_OTHER_SINKS = ("jsonl", "mqtt")  # the store knows by its name how far a sink has come


class ServiceSection(Section):
    """The service itself: where it listens, where it keeps what it knows."""

    host: Host = Field("127.0.0.1", description="The address to listen on. One that others reach needs a token.")
    port: Integer = Field(8080, ge=0, le=65535, description="Where HTTP is answered; 0: any that is free.")
    state_dir: File = Field(Path("motionseg-state"), description="Folder for state, events and recordings.")
    token: Secret | None = Field(None, description="Who has it may ask and change. 8 characters or more.")
    state_every: Number = Field(60.0, ge=1, le=86400, description="Seconds between two snapshots of what was learned.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")

    @field_validator("token")
    @classmethod
    def _can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value() if token else "-" * 8
        if len(text) < 8 or not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("is 8 ASCII characters or more, without spaces")
        return token

    @model_validator(mode="after")
    def _token_where_needed(self) -> ServiceSection:
        if self.token is None and not is_loopback(self.host):
            complain([Complaint(("host",), f'others reach {self.host}, so a token is needed: token = "${{NAME}}"')])
        return self


class StoreSection(Section):
    """The store of events."""

    url: Secret | None = Field(
        None, description="sqlite:FILE, or postgresql://user:password@host/database; none: events.db in state_dir."
    )
    keep_days: Number = Field(90.0, gt=0, le=36500, description="Days for which events that are over are kept.")

    @field_validator("url")
    @classmethod
    def _is_a_store(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        text = url.get_secret_value() if url else ""
        if url is None:
            return None
        if text.startswith("sqlite:"):
            file = text.removeprefix("sqlite:")
            if not file or file.startswith(("//", ":")):
                raise ValueError("a file is sqlite:FILE, without //")
            return SecretStr(f"sqlite:{placed(file, info)}")
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("is sqlite:FILE or postgresql://user:password@host/database")
        return url

    @property
    def shown_url(self) -> str:
        """The store as it may be shown."""
        return "sqlite" if self.url is None else shown_address(self.url.get_secret_value())


class RecordingsSection(Section):
    """Pictures and clips of events."""

    folder: File | None = Field(None, description="Where they are kept; none: recordings in state_dir.")
    snapshots: Flag = Field(True, description="A picture of each event, as it begins.")
    clips: Flag = Field(True, description="A clip of each event.")
    pre_roll: Number = Field(5.0, ge=0, le=60, description="Seconds of the clip before the event.")
    post_roll: Number = Field(5.0, ge=0, le=60, description="Seconds of the clip after the event.")
    max_length: Number = Field(60.0, ge=1, le=600, description="Seconds of a clip, at most.")
    keep_days: Number = Field(14.0, gt=0, le=36500, description="Days for which they are kept.")
    keep_gb: Number = Field(10.0, gt=0, le=1e6, description="Gigabytes (1e9 bytes) of all, at most: oldest ones go.")


class JsonlSection(Section):
    """Events as lines of JSON."""

    path: File = Field(description="The file.")
    max_mb: Number = Field(100.0, gt=0, le=1e6, description="Megabytes (1e6 bytes) from which on a new file begins.")
    keep: Integer = Field(5, ge=1, le=1000, description="How many old files are kept, as FILE.1, FILE.2 ...")


class MqttSection(Section):
    """Events to an MQTT broker."""

    host: Host = Field(description="The broker.")
    port: Integer = Field(1883, ge=1, le=65535, description="Its port; 8883 is usual with TLS.")
    username: Text | None = Field(None, description="Who the service is to the broker.")
    password: Secret | None = Field(None, description="And the password of that user.")
    tls: Flag = Field(False, description="Speak TLS.")
    ca_file: File | None = Field(None, description="Certificates to trust, PEM; none: those that the system trusts.")
    topic: Topic = Field("motionseg", description="What all topics begin with.")
    discovery: Topic | None = Field("homeassistant", description='Prefix of Home Assistant discovery; "": none.')
    client_id: Text | None = Field(None, description="Name of this client, its own at the broker; none: made up.")

    @field_validator("discovery", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _goes_together(self) -> MqttSection:
        found = []
        if self.password is not None and self.username is None:
            found.append(Complaint(("password",), "is of a user: give username, too"))
        if self.ca_file is not None and not self.tls:
            found.append(Complaint(("ca_file",), "is for TLS: say tls = true, too"))
        if found:
            complain(found)
        return self


class WebhookSection(Section):
    """Events as HTTP POST requests."""

    url: Secret = Field(description="http:// or https:// address; it may hold a key.")
    secret: Secret | None = Field(None, description="Key of the signature (HMAC-SHA256); none: not signed.")
    name: Name = Field("webhook", description="What it is called; each has its own.")
    cameras: tuple[Name, ...] = Field((), description="Only events of these cameras; none: of all.")
    rules: tuple[Label, ...] = Field((), description="Only events of these rules, by name; none: of all.")
    phases: tuple[Literal["begin", "end"], ...] = Field(
        ("begin", "end"), min_length=1, description="When it is told: as an event begins, as it ends, or both."
    )
    timeout: Number = Field(10.0, gt=0, le=300, description="Seconds to wait for the answer.")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        check_address(url.get_secret_value(), ("http", "https"))
        return url

    @property
    def shown_url(self) -> str:
        """The address as it may be shown: scheme and host."""
        return shown_address(self.url.get_secret_value())


class Config(Section):
    """All of a configuration."""

    service: ServiceSection = Field(_EMPTY, description="The service itself.")
    store: StoreSection = Field(_EMPTY, description="The store of events.")
    recordings: RecordingsSection = Field(_EMPTY, description="Pictures and clips of events.")
    jsonl: JsonlSection | None = Field(None, description="Events as lines of JSON.")
    mqtt: MqttSection | None = Field(None, description="Events to an MQTT broker.")
    webhook: tuple[WebhookSection, ...] = Field((), max_length=100, description="Events as HTTP requests.")
    camera: tuple[CameraSection, ...] = Field(min_length=1, max_length=256, description="The cameras.")

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        cameras = [camera.name for camera in self.camera]
        rules = {rule.name for camera in self.camera for rule in camera.rule} | {rule.kind for rule in VERDICT_RULES}
        rules |= set() if all(camera.rule for camera in self.camera) else {"enter", "cross"}
        found = [*_twice("camera", cameras), *_twice("webhook", [hook.name for hook in self.webhook])]
        for number, hook in enumerate(self.webhook):
            if hook.name in _OTHER_SINKS:
                found.append(Complaint(("webhook", number, "name"), f"{hook.name!r} is the name of another sink"))
            for key, names, known in (("cameras", hook.cameras, cameras), ("rules", hook.rules, sorted(rules))):
                for place, name in enumerate(names):
                    if name not in known:
                        text = f"there is no {key[:-1]} {name!r}; {nearest(name, known)}"
                        found.append(Complaint(("webhook", number, key, place), text))
        if found:
            complain(found)
        return self


def _twice(what: str, names: list[str]) -> list[Complaint]:
    return [
        Complaint((what, number, "name"), f"two {what}s are called {name!r}")
        for number, name in enumerate(names)
        if name in names[:number]
    ]
