"""Keys of a JWKS as libcrypto reads them."""

import base64

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from huidu.core.errors import InvalidError


def public_pem(key: dict[str, str]) -> str:
    """An RSA or EC key, as `checked_keys` gives it, as PEM. Raises `InvalidError`."""
    try:
        public = _public_numbers(key).public_key()
    except ValueError as error:
        raise InvalidError(f"read a JWKS key of kind {key['kty']} ({error}); accepted: a public key") from None
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def secret_bytes(key: dict[str, str]) -> bytes:
    """The secret of a symmetric key."""
    return _bytes(key["k"])


def _public_numbers(key: dict[str, str]) -> RSAPublicNumbers | EllipticCurvePublicNumbers:
    if key["kty"] == "RSA":
        return RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
    return EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), SECP256R1())


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
