"""What single keys of a configuration hold: numbers, names, hosts, files, addresses, secrets; how they are shown."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo

__all__ = ["File", "Flag", "Host", "Integer", "Label", "Name", "Number", "Secret", "Section", "Text", "Topic"]
__all__ += ["check_address", "has_scheme", "is_loopback", "placed", "shown_address"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")
_HOST_AND_PORT = re.compile(r"(?:[\w.%-]+|\[[\w.:%]+\])(?::\d*)?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Section(BaseModel):
    """A table of a configuration. It cannot be changed, and what is wrong is told without the value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


def _plain(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("has a control character or line break in it (in TOML, '...' takes \\ as it is)")
    if value != value.strip():
        raise ValueError("begins or ends with a space")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("the text is empty")
    _plain(value.get_secret_value())
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("is the name or number of a host, without scheme, port, path and brackets")
    return value


def _topic(value: str) -> str:
    if any(sign in value for sign in "#+ ") or value.startswith(("/", "$")) or value.endswith("/") or "//" in value:
        raise ValueError("is words with / between them, without #, + and spaces, and does not begin with $")
    return value


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Integer = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_plain)]
"""Any text on one line."""
Label = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain)]
"""What zones, lines and rules are called."""
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"})]
"""What cameras and webhooks are called: also part of folders, topics and addresses."""
Host = Annotated[str, AfterValidator(_host)]
Topic = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain), AfterValidator(_topic)]
Secret = Annotated[SecretStr, Field(max_length=4000), AfterValidator(_secret)]
"""A text that is never shown."""


def placed(name: str, info: ValidationInfo) -> str:
    """A file's name, seen from the folder of the configuration (the validation's context)."""
    folder = (info.context or {}).get("folder")
    return name if folder is None else os.path.join(folder, os.path.expanduser(name))


def _file(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("the text is empty")
    return Path(placed(_plain(value), info))


File = Annotated[Path, BeforeValidator(_file)]
"""A file or folder; relative ones are seen from the folder of the configuration."""


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "127.0.0.1.example.org")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def has_scheme(text: str) -> bool:
    """Whether a text is an address, and no name of a file."""
    return _SCHEME.match(text) is not None


def check_address(text: str, schemes: tuple[str, ...]) -> None:
    """Raises ValueError, without the address in it, unless it has one of these schemes, and a host."""
    found = _SCHEME.match(text)
    if found is None or found[0].lower().removesuffix("://") not in schemes:
        raise ValueError(f"is an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not _hosts_of(text) or " " in text:
        raise ValueError("is an address without a host, or with a space in it")


def shown_address(text: str) -> str:
    """An address as it may be shown: scheme and host. All else may hold a password.

    Examples
    --------
    >>> shown_address("rtsp://admin:pa/ss@10.0.0.4:554/live?key=5"), shown_address("rtsp://cam/user=admin_password=x")
    ('rtsp://10.0.0.4:554/...', 'rtsp://cam/...')
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    hosts = _hosts_of(text)
    host = hosts.pop() if len(hosts) == 1 else "***"
    return f"{scheme[0]}{host}" + ("" if text.endswith(host) else "/...")


def _hosts_of(address: str) -> set[str]:
    """Host and port. There are two where it cannot be told whether a password has a / in it, or a path or query an @;
    then one of them may be part of a secret."""
    rest = address.partition("://")[2]
    first = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    last = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return {host for host in (first, last) if _HOST_AND_PORT.fullmatch(host)}
