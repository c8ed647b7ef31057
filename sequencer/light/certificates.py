"""Verify what the executors of a split rollup attest: a verdict, a beat or a row. # A9

A verdict is no outcome: it counts in the log alone, and only if what it rests on came true.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.types.genesis import Genesis
from sequencer.types.item import check_certificate
from sequencer.types.proof_files import decode_certificate_file, encode_certificate_file
from sequencer.types.verdict import ExecutorStatement


@dataclass(frozen=True, slots=True)
class CertificateView:
    """What a verified certificate proves: at least one correct executor states this, if at most f_r lie."""

    statement: ExecutorStatement
    executors: tuple[str, ...]
    """Names of those who signed."""


def verify_certificate(data: bytes, genesis: Genesis, verifier: Verifier) -> CertificateView:
    """Return what is attested; raises `VerificationError` naming the step that failed."""
    try:
        certificate = decode_certificate_file(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if encode_certificate_file(certificate) != data:
        raise VerificationError("decode: the certificate is not in canonical form")
    rejection = check_certificate(certificate, genesis.item_rules, verifier)
    if rejection is not None:
        raise VerificationError(f"certificate: {rejection.path.removeprefix('item.')} {rejection.detail}")
    executors = genesis.get_rollup(certificate.statement.rollup).executors
    return CertificateView(certificate.statement, tuple(executors[index].name for index in certificate.signers))
