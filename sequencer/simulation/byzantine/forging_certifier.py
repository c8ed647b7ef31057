"""Replace C2, certificates are made of votes: it makes them of signatures over something else. # B11 B13 B20"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import Hello
from sequencer.types.signing import SignatureKind
from sequencer.types.vote import Certificate, Proposal, VoteKind

INTERVAL_US = 700 * MILLISECOND
TEMPLATES_MAX = 32


class ForgingCertifier(Behaviour):
    """Sends certificates that are wrong in exactly one way, alone or with a nullify or a proposal."""

    name = "forging_certifier"

    def start(self) -> None:
        """Begin to forge as soon as there is a genuine certificate to start from."""
        self._templates: deque[Certificate] = deque(maxlen=TEMPLATES_MAX)
        self.repeat(INTERVAL_US, self._forge)

    def see(self, event: Event) -> bool:
        """Collect genuine certificates."""
        if isinstance(event, MessageReceived):
            message = event.message
            if isinstance(message, Certificate):
                self._templates.append(message)
            elif isinstance(message, Proposal):
                self._templates.extend(message.justification)
            elif isinstance(message, Hello):
                self._templates.extend(message.certificates)
        return True

    def _forge(self) -> None:
        if not self._templates:
            return
        forged = self._spoil(self.rng.choice(self._templates))
        peer = self.rng.choice(self.peers)
        if self.rng.random() < 0.5:
            self.send(peer, forged)
        else:
            nullify = self.make_vote(VoteKind.NULLIFY, forged.view + 1, ZERO_DIGEST, forged)
            self.send(peer, nullify)

    def _spoil(self, genuine: Certificate) -> Certificate:
        """Change one thing; whatever it is, the signatures are of something else then."""
        later = replace(genuine, view=genuine.view + self.rng.randint(1, 40))
        ways = (
            later,
            replace(genuine, epoch=genuine.epoch + 1),
            replace(later, signers=genuine.signers[:1], signatures=genuine.signatures[:1]),  # weak power
            replace(genuine, kind=VoteKind.NULLIFY, digest=ZERO_DIGEST),
            replace(genuine, kind=VoteKind.FINALIZE, digest=genuine.digest),
            replace(later, signatures=(self._flip(genuine.signatures[0]), *genuine.signatures[1:])),
            self._sign_for_all(later),
        )
        return self.rng.choice([way for way in ways if way != genuine])

    def _sign_for_all(self, certificate: Certificate) -> Certificate:
        """Put the own signature in everybody's place."""
        own = self.sign(SignatureKind(certificate.kind), certificate.view, certificate.digest)
        signers = tuple(range(self.committee.size))
        return replace(certificate, signers=signers, signatures=(own,) * len(signers))

    def _flip(self, signature: bytes) -> bytes:
        place = self.rng.randrange(len(signature))
        return signature[:place] + bytes((signature[place] ^ 1,)) + signature[place + 1 :]
