"""ACLs: who may do what in Kafka, derived from the readers and writers of `TOPICS`.

A role (`intake`, `sense`, `siem`, …) is a name in that table. Each may read and write its topics and read with its own
consumer groups, and nothing else: Kafka denies what no ACL allows. A process that runs several stages logs in as one user;
`users` maps its roles to that user, who then holds their union.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.admin_client import connect, result
from streams.clients import group_name, topic_name
from streams.topics import TOPICS
from tocsin.config import Config, Kafka

RAW_READER: Final = "intake"
RAW_WRITER: Final = "producers"

GROUPS: Final = {"command": ("command", "command-merge")}
"""Consumer groups of a role that has others than the one of its own name."""

SCRAM_ITERATIONS: Final = 8192


class Acl(NamedTuple):
    """One permission: this user may do this to exactly this resource, from any host."""

    user: str
    operation: Literal["READ", "WRITE", "DESCRIBE"]
    resource: Literal["TOPIC", "GROUP"]
    name: str


def roles() -> list[str]:
    """Returns every role that `TOPICS` names, sorted."""
    return sorted({role for topic in TOPICS.values() for role in (*topic.readers, *topic.writers)})


def acls(config: Config, users: Mapping[str, str] | None = None) -> list[Acl]:
    """Returns the whole permission table, sorted, without repeats.

    Args:
        config: prefix and raw topics.
        users: role → Kafka user; a role that is absent is its own user.
    """
    users = users or {}
    readers = {topic_name(config.kafka, key): topic.readers for key, topic in TOPICS.items()}
    writers = {topic_name(config.kafka, key): topic.writers for key, topic in TOPICS.items()}
    for raw in config.topic:
        readers[raw.name] = (*readers.get(raw.name, ()), RAW_READER)
        writers[raw.name] = (*writers.get(raw.name, ()), RAW_WRITER)
    found = {_topic(users, role, "READ", name) for name, them in readers.items() for role in them}
    found |= {_topic(users, role, "WRITE", name) for name, them in writers.items() for role in them}
    found |= {acl._replace(operation="DESCRIBE") for acl in found}
    found |= {
        Acl(users.get(role, role), operation, "GROUP", group_name(config.kafka, group))
        for role in sorted({role for them in readers.values() for role in them})
        for group in GROUPS.get(role, (role,))
        for operation in ("READ", "DESCRIBE")
    }
    return sorted(found)


def _topic(users: Mapping[str, str], role: str, operation: Literal["READ", "WRITE"], name: str) -> Acl:
    return Acl(users.get(role, role), operation, "TOPIC", name)


def command_line(acl: Acl, brokers: str) -> str:
    """Returns the arguments of Kafka's own `kafka-acls.sh` that grant one permission, quoted for a shell."""
    words = ["kafka-acls.sh", "--bootstrap-server", brokers, "--add", "--allow-principal", f"User:{acl.user}"]
    words += ["--operation", acl.operation.capitalize(), f"--{acl.resource.lower()}", acl.name]
    return shlex.join(words)


def apply_acls(kafka: Kafka, table: Sequence[Acl]) -> None:
    """Grants every permission of the table; what was granted before stays.

    Raises:
        BrokerError: Kafka cannot be reached, has no authorizer, or we may not change ACLs.
    """
    bindings = [
        AclBinding(
            ResourceType[acl.resource],
            acl.name,
            ResourcePatternType.LITERAL,
            f"User:{acl.user}",
            "*",
            AclOperation[acl.operation],
            AclPermissionType.ALLOW,
        )
        for acl in table
    ]
    if bindings:
        with connect(kafka) as admin:
            for future in admin.create_acls(bindings).values():
                result(future)


def create_user(kafka: Kafka, username: str, password: str) -> None:
    """Creates a SCRAM-SHA-256 user, or gives an existing one a new password.

    Raises:
        BrokerError: Kafka cannot be reached, or we may not change users.
    """
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, SCRAM_ITERATIONS)
    with connect(kafka) as admin:
        change = UserScramCredentialUpsertion(username, credential, password.encode())
        for future in admin.alter_user_scram_credentials([change]).values():
            result(future)
