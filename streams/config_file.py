"""Configuration file: TOML and environment in, a checked `Config` and the origin of every value out.

A value comes from its variable in `ENVIRONMENT`, else from the file, else from its default. Wrong configurations refuse to
start, and the message names file (or variable), key, what was wanted and what was found.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from streams.config_checks import problems
from tocsin.config import Config
from tocsin.errors import ConfigError

DEFAULT_FILE = "tocsin.toml"
MAX_FILE_BYTES = 1 << 20

ENVIRONMENT: Final[dict[str, str]] = {
    "TOCSIN_CONFIG": "",  # the file itself
    "TOCSIN_KEY": "",  # the deployment's key, instead of key_file; see streams/key_file.py
    "TOCSIN_KAFKA_BROKERS": "kafka.brokers",
    "TOCSIN_KAFKA_PREFIX": "kafka.prefix",
    "TOCSIN_KAFKA_REPLICATION": "kafka.replication",
    "TOCSIN_KAFKA_SECURITY": "kafka.security",
    "TOCSIN_KAFKA_SASL_MECHANISM": "kafka.sasl_mechanism",
    "TOCSIN_KAFKA_USERNAME": "kafka.username",
    "TOCSIN_KAFKA_PASSWORD": "kafka.password",
    "TOCSIN_KAFKA_CA_FILE": "kafka.ca_file",
    "TOCSIN_KAFKA_CERT_FILE": "kafka.cert_file",
    "TOCSIN_KAFKA_KEY_FILE": "kafka.key_file",
    "TOCSIN_HTTP_HOST": "http.host",
    "TOCSIN_HTTP_INTAKE_PORT": "http.intake_port",
    "TOCSIN_HTTP_WORKER_PORT": "http.worker_port",
    "TOCSIN_HTTP_CURATOR_PORT": "http.curator_port",
    "TOCSIN_HTTP_COMMAND_PORT": "http.command_port",
    "TOCSIN_COMMAND_KEY_FILE": "command.key_file",
    "TOCSIN_PERSON_KEY": "",  # a person's own key file, see streams/cli/containment.py
    "TOCSIN_KEY_PASSPHRASE": "",  # of such a file, see streams/command/private_key.py
    "TOCSIN_KEY_FILE": "key_file",
    "TOCSIN_DATA_DIR": "data_dir",
    "TOCSIN_INSTANCE": "instance",
}
"""Every variable there is: variable → the key it sets. Addresses, paths and secrets only; the rest belongs into the file."""

PATHS: Final = ("kafka.ca_file", "kafka.cert_file", "kafka.key_file", "key_file", "command.key_file", "data_dir")
"""Settings that are paths; relative ones start at the configuration file."""


class Loaded(NamedTuple):
    """A configuration and how it came about.

    Attributes:
        config: checked.
        file: where it was read.
        origins: dotted key → `file` or the variable's name; a key that is absent has its default.
    """

    config: Config
    file: Path
    origins: dict[str, str]


def locate(given: str | None, env: Mapping[str, str]) -> Path:
    """Returns the configuration file: the one given, else `TOCSIN_CONFIG`, else `tocsin.toml` in the working directory."""
    return Path(given or env.get("TOCSIN_CONFIG") or DEFAULT_FILE)


def load(path: Path, env: Mapping[str, str]) -> Config:
    """Returns the checked configuration.

    Raises:
        ConfigError: the file cannot be read, or a value is unknown, of the wrong type or out of bounds.
    """
    return load_with_origins(path, env).config


def load_with_origins(path: Path, env: Mapping[str, str]) -> Loaded:
    """Returns the checked configuration and where each value comes from.

    Raises:
        ConfigError: as `load`.
    """
    data = _read(path)
    origins = dict.fromkeys(_leaves(data), "file")
    for variable, key in ENVIRONMENT.items():
        if key and env.get(variable):
            _put(data, key, _typed(variable, key, env[variable]))
            origins[key] = variable
    _refuse_unknown(path, data)
    try:
        config = msgspec.convert(data, Config, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(path, origins, str(error))) from error
    for key, problem in problems(config):
        raise ConfigError(f"{_where(path, origins, key)}: {problem}")
    return Loaded(_rooted(config, path.parent), path, origins)


def unknown_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Yields a line for every `TOCSIN_` variable that nothing reads: most likely a typing error."""
    for variable in sorted(env):
        if variable.startswith("TOCSIN_") and variable not in ENVIRONMENT:
            near = difflib.get_close_matches(variable, ENVIRONMENT, 1)
            yield f"{variable}: no such variable" + (f"; did you mean {near[0]}?" if near else "")


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ConfigError(f"{path}: no such file; `tocsin init` writes one")
    if not path.is_file():
        raise ConfigError(f"{path}: expected a regular file, found something else")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: expected at most {MAX_FILE_BYTES} bytes, got {path.stat().st_size}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8, found byte {error.object[error.start]:#04x} at {error.start}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _put(data: dict[str, Any], key: str, value: object) -> None:
    *tables, leaf = key.split(".")
    for table in tables:
        inner = data.setdefault(table, {})
        if not isinstance(inner, dict):
            return  # the file says `kafka = 3`: the conversion will name it
        data = inner
    data[leaf] = value


def _typed(variable: str, key: str, text: str) -> object:
    """Returns the variable's text as the type its key has; only text and whole numbers occur."""
    if not isinstance(_get(Config(), key), int):
        return text
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{variable}: expected int, got {text[:40]!r}") from None


def _get(config: Config, key: str) -> object:
    value: object = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _refuse_unknown(path: Path, data: Mapping[str, Any]) -> None:
    """Refuses unknown keys before the types are checked, so that the near match can be named."""
    for key, rows, struct in _tables(data):
        known = [field.name for field in msgspec.structs.fields(struct)]
        for index, row in enumerate(rows):
            where = f"{key}[{index}]." if isinstance(data.get(key), list) else f"{key}." if key else ""
            for name in row:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                    raise ConfigError(f"{path}: {where}{name}: unknown key; {hint}")


def _tables(data: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]], type[msgspec.Struct]]]:
    """Yields (key, rows, their Struct) for the file itself and every table in it."""
    yield "", [data], Config
    for field in msgspec.structs.fields(Config):
        info = msgspec.inspect.type_info(field.type)
        inner = info.item_type if isinstance(info, msgspec.inspect.VarTupleType) else info
        if isinstance(inner, msgspec.inspect.StructType):
            value = data.get(field.name, {})
            rows = value if isinstance(value, list) else [value]
            yield field.name, [row for row in rows if isinstance(row, Mapping)], inner.cls


def _explain(path: Path, origins: Mapping[str, str], message: str) -> str:
    """Returns msgspec's message with the key in front, in the words of this file."""
    text, _, at = message.partition(" - at `$")
    key = at.rstrip("`").lstrip(".")
    if missing := re.fullmatch(r"Object missing required field `(.+)`", text):
        return f"{path}: {key}.{missing[1]}: must be set"
    return f"{_where(path, origins, key)}: {text[:1].lower()}{text[1:]}".replace("`", "")


def _where(path: Path, origins: Mapping[str, str], key: str) -> str:
    origin = origins.get(key, "file")
    return f"{path}: {key}" if origin == "file" else origin


def _rooted(config: Config, directory: Path) -> Config:
    for key in PATHS:
        value = str(_get(config, key))
        if value and not Path(value).is_absolute():
            config = _replace(config, key.split("."), str(directory / value))
    return config


def _replace(struct: Any, keys: list[str], value: str) -> Any:
    inner = value if len(keys) == 1 else _replace(getattr(struct, keys[0]), keys[1:], value)
    return msgspec.structs.replace(struct, **{keys[0]: inner})
