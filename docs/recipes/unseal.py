#!/usr/bin/env python3
"""Opens what the redaction profile `encrypt` sealed: reads events, writes them with the texts in clear.

usage: unseal.py PRIVATE.pem < events > events-in-clear

PRIVATE.pem is made with `openssl genpkey -algorithm X25519`. Needs the Python package `cryptography`. What another key
sealed stays as it is.
"""
import base64
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEALED = re.compile(r"enc:([A-Za-z0-9_-]+)")


def main():
    with open(sys.argv[1], "rb") as file:
        private = serialization.load_pem_private_key(file.read(), None)
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    public = private.public_key().public_bytes(*raw)

    def unsealed(found):
        text = found.group(1)
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if len(sealed) < 65 or sealed[0] != 1 or sealed[1:5] != hashlib.sha256(public).digest()[:4]:
            return found.group(0)
        sender, nonce, rest = sealed[5:37], sealed[37:49], sealed[49:]
        shared = private.exchange(X25519PublicKey.from_public_bytes(sender))
        key = HKDF(hashes.SHA256(), 32, sender + public, b"tapwire sealed text 1").derive(shared)
        try:
            clear = ChaCha20Poly1305(key).decrypt(nonce, rest, None)
        except InvalidTag:
            return found.group(0)
        return json.dumps(clear.decode("utf-8", "replace"))[1:-1]

    for line in sys.stdin:
        sys.stdout.write(SEALED.sub(unsealed, line))


if __name__ == "__main__":
    main()
