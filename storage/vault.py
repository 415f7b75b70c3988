"""Secrets at rest: sealed with the first key, opened with any, and bound to the place that they were sealed for."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


#: A Fernet key holds so many bytes (cryptography.io: "Fernet (symmetric encryption)").
KEY_BYTES: Final = 32


class VaultError(RuntimeError):
    """A stored secret cannot be opened with any of the keys. Give PIECEWISE_ENCRYPTION_KEYS the key that sealed it."""


class KeyRefusedError(ValueError):
    """An encryption key is 32 random bytes in URL-safe base64. Make one with: piecewise new-key"""


def new_key() -> str:
    """A fresh key, as PIECEWISE_ENCRYPTION_KEYS wants it."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - see `Vault`

    return Fernet.generate_key().decode()


@dataclass(frozen=True)
class Vault:
    """Seals and opens small JSON values (Fernet: AES-128-CBC with HMAC-SHA256). Keys never show in `repr`.

    Raises KeyRefusedError for what is no key.
    """

    keys: Sequence[str] = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.keys and all(map(_is_key, self.keys))):
            raise KeyRefusedError(KeyRefusedError.__doc__)

    @cached_property
    def _fernet(self) -> "MultiFernet":
        # Nine megabytes, and a tenth of the start: loaded with the first secret, or by `prepare`.
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

        return MultiFernet([Fernet(key) for key in self.keys])

    def prepare(self) -> None:
        """Loads what seals, so that nobody waits for that later."""
        _ = self._fernet

    def seal(self, place: str, value: Any) -> str:
        """The value, sealed for this place: moved to another row, it does not open."""
        return self._fernet.encrypt(json.dumps([place, value]).encode()).decode()

    def open(self, place: str, sealed: str) -> Any:
        """The value that was sealed for this place; raises VaultError."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see above

        try:
            bound, value = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise VaultError(VaultError.__doc__) from None
        if bound != place:
            raise VaultError(VaultError.__doc__)
        return value

    def opens(self, place: str, sealed: str) -> bool:
        """Whether any of the keys opens it."""
        try:
            self.open(place, sealed)
        except VaultError:
            return False
        return True

    def is_current(self, sealed: str) -> bool:
        """Whether the first key alone opens it: after a rotation, all are."""
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - see above

        try:
            Fernet(self.keys[0]).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
