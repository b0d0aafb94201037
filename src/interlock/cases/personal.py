"""Personal data at the doors of cases: tokens for what keeps its contract, a seal around what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from interlock.cases.journal import encode
from interlock.cases.registry import Registered
from interlock.contracts import Contract, read_json
from interlock.errors import ConfigInvalid, ContractViolated, InterlockError, MalformedJson, Violation
from interlock.privacy.naming import names_doubtful
from interlock.privacy.token import MARKER_BYTES
from interlock.privacy.unsaid import check_key, key_refused, no_subject, stray_token, without_values
from interlock.privacy.vault import Vault


class Kept(NamedTuple):
    """What came, as it may be stored.

    Attributes:
        data: The bytes to keep.
        violations: What is wrong with it, without its values.
    """

    data: bytes
    violations: tuple[Violation, ...]


class Sealed(NamedTuple):
    """What is to wait in quarantine, as it may be stored.

    Attributes:
        data: The bytes to keep.
        violations: What is wrong with it, without its values.
        key: The idempotency key that it came under; empty where that repeats a personal value, and is not kept.
    """

    data: bytes
    violations: tuple[Violation, ...]
    key: str


def vault_of(registered: Registered) -> Vault:
    """The vault of a workflow's process.

    Raises:
        ConfigInvalid: there is none.
    """
    if registered.vault is None:
        raise ConfigInvalid("nothing here protects personal data", todo="take it in by a node of its own settings")
    return registered.vault


async def kept_input(
    registered: Registered,
    tenant: UUID,
    contract: Contract,
    value: Any,
    encoded: bytes,
    violations: tuple[Violation, ...],
    *,
    came: bytes,
    key: str = "",
) -> Kept:
    """An input as it may be stored: with tokens, or sealed where it breaks its contract.

    Args:
        registered: The workflow.
        tenant: Whose.
        contract: What it was held against.
        value: The input, read; None where it cannot be.
        encoded: The same as canonical JSON.
        violations: What it breaks.
        came: The bytes that came.
        key: The idempotency key that it came under.

    Raises:
        Refused: the key repeats a personal value.
        ConfigInvalid: it is personal, and there is no master key.
    """
    if MARKER_BYTES in encoded:
        violations = (*violations, stray_token())
    if contract.personal is None:
        return Kept(encoded, violations)
    vault = vault_of(registered)
    protected = await vault.protect(tenant, contract.personal, value)
    if protected is not None:
        check_key(key, protected.veil)
    if protected is not None and not violations:
        return Kept(encode(protected.value), ())
    if names_doubtful(key, contract, value, came):
        raise key_refused()
    violations = violations or (no_subject(contract),)
    sealed, _ = await vault.seal(tenant, contract, came, value, violations)
    return Kept(sealed, without_values(contract, violations))


async def sealed_data(
    registered: Registered, tenant: UUID, reference: str, data: bytes, violations: Sequence[Violation], key: str = ""
) -> Sealed:
    """What is to wait in quarantine: as it came, or sealed where its contract marks personal data.

    Args:
        registered: The workflow.
        tenant: Whose.
        reference: The contract that it was to keep; empty: there is none.
        data: What came.
        violations: What is wrong with it.
        key: The idempotency key that it came under.
    """
    contract = _contract(registered, tenant, reference)
    if contract is None or contract.personal is None:
        return Sealed(data, tuple(violations), key)
    try:
        value = read_json(data, max_bytes=max(len(data), 1))
    except MalformedJson:
        value = None
    sealed, _ = await vault_of(registered).seal(tenant, contract, data, value, violations)
    kept = "" if names_doubtful(key, contract, value, data) else key
    return Sealed(sealed, without_values(contract, violations), kept)


async def kept_value(registered: Registered, tenant: UUID, reference: str, value: Any, *, key: str = "") -> Any:
    """A value that keeps its contract, with tokens in the place of what that marks.

    Raises:
        ContractViolated: it holds a token already.
        Refused: the key that it came under repeats a personal value.
        ConfigInvalid: it is personal, and there is no master key.
    """
    if MARKER_BYTES in encode(value):
        raise ContractViolated(f"it breaks {reference}", (stray_token(),))
    contract = _contract(registered, tenant, reference)
    if contract is None or contract.personal is None:
        return value
    protected = await vault_of(registered).protect(tenant, contract.personal, value)
    if protected is None:
        raise ContractViolated(f"it breaks {reference}", (no_subject(contract),))
    check_key(key, protected.veil)
    return protected.value


def personal_contract(registered: Registered, tenant: UUID, reference: str) -> Contract | None:
    """The contract of a name, if it marks personal data."""
    contract = _contract(registered, tenant, reference)
    return contract if contract is not None and contract.personal is not None else None


def _contract(registered: Registered, tenant: UUID, reference: str) -> Contract | None:
    try:
        return registered.library.for_tenant(tenant).contract(reference) if reference else None
    except InterlockError:  # what needs it is refused where it is checked
        return None
