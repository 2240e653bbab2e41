"""The order to go past one command at which the engine halts: what is signed, and by whom (design 12)."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["sign_skip", "signed_text"]


def signed_text(shard: int, offset: int, index: int) -> bytes:
    """What the operator signs. `offset`, `index`: the command's place on the command log."""
    return b"exchange skip command: shard %d offset %d index %d" % (shard, offset, index)


def sign_skip(key: Ed25519PrivateKey, shard: int, offset: int, index: int) -> str:
    """The signature for `SkipCommand`, hexadecimal."""
    return key.sign(signed_text(shard, offset, index)).hex()
