"""The course of a bundle is read from the store alone: item, decision, certificates, receipt; also after a restart."""

from __future__ import annotations

from pathlib import Path

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import verify_ed25519
from sequencer.light import verify_receipt
from sequencer.node.queries import build_stored_receipt
from sequencer.node.stories import read_story
from sequencer.rpc.stories import BundleStatus
from sequencer.store.node_store import NodeStore
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.block import FinalizedBlock
from sequencer.types.bundle import Bundle
from sequencer.types.effects import PersistBlock, StoreCommitmentCertificate, StoreExecution
from sequencer.types.outcome import Status
from sequencer.types.verdict import Verdict
from tests.execution_world import ALPHA, sign_certificate
from tests.split_chain import Chain, Item, say_no, say_yes, touch
from tests.split_world import DELTA, SPLIT_GENESIS
from tests.unit.store.chain import make_home, open_store


def run_stored(chain: Chain, store: NodeStore, *items: Item) -> None:
    """Execute one block and store it with its items in one batch."""
    executed = chain.run(*items)
    payload = encode_payload([chain.make_item(item)[0] for item in items])
    place = BatchHeader(
        0, 0, executed.header.height, ZERO_DIGEST, compute_payload_hash(payload), len(payload), len(items)
    )
    block = FinalizedBlock(executed.header, None, (Batch(place, bytes(64), payload),) if items else ())
    store.perform([PersistBlock(block), StoreExecution(executed)])


def tell(store: NodeStore, bundle: Bundle) -> tuple[BundleStatus, object, object]:
    """Return status, place of the order and height of the decision."""
    story = read_story(store.reader, SPLIT_GENESIS, bundle.id)
    assert story is not None
    return story.status, story.height, story.decided_height


def test_bundle_decided_later_is_told_and_proven_after_a_restart(tmp_path: Path) -> None:
    """Ordered at 2, certified and decided at 4; its receipt verifies with the commitments between."""
    home, chain = make_home(tmp_path), Chain()
    store = open_store(home)
    bundle, other = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m")), chain.bundle(touch(ALPHA, "n"), channel=1)
    run_stored(chain, store)
    run_stored(chain, store, other, bundle)
    waiting = tell(store, bundle)
    run_stored(chain, store)
    run_stored(chain, store, say_yes(bundle))
    unproven = build_stored_receipt(store.reader, bundle.id)
    certificate = sign_certificate(chain.executor.commitment, genesis=SPLIT_GENESIS)
    store.perform([StoreCommitmentCertificate(certificate)])
    store.close()

    reader = open_store(home).reader
    story = read_story(reader, SPLIT_GENESIS, bundle.id)
    receipt = build_stored_receipt(reader, bundle.id)

    assert waiting == (BundleStatus.PENDING, 2, None)
    assert story is not None
    assert (story.status, story.height, story.decided_height) == (BundleStatus.COMMITTED, 2, 4)
    assert story.bundle == bundle
    assert [row.namespace for row in story.rows] == [ALPHA, DELTA]
    assert [(one.height, one.index, one.certificate.signers) for one in story.certificates] == [(4, 0, (0, 1))]
    assert story.decision is not None
    assert [said.verdict for said in story.decision.verdicts] == [Verdict.YES, Verdict.YES]
    assert unproven is None
    assert receipt is not None
    view = verify_receipt(receipt, SPLIT_GENESIS, verify_ed25519)
    assert (view.bundle_id, view.status) == (bundle.id, Status.COMMIT)


def test_certificates_that_did_not_count_are_told_with_their_result(tmp_path: Path) -> None:
    """The second comes too late."""
    chain, store = Chain(), open_store(make_home(tmp_path))
    bundle = chain.bundle(touch(DELTA, "m"))
    run_stored(chain, store, bundle)
    run_stored(chain, store, say_no(bundle), say_yes(bundle))
    story = read_story(store.reader, SPLIT_GENESIS, bundle.id)
    assert story is not None
    assert [one.result.reason for one in story.certificates] == ["", "STALE"]
    assert story.status is BundleStatus.ABORTED


def test_certificate_has_no_receipt_of_its_own(tmp_path: Path) -> None:
    """It took effect, but no outcome leaf names it."""
    chain, store = Chain(), open_store(make_home(tmp_path))
    bundle = chain.bundle(touch(DELTA, "m"))
    run_stored(chain, store, bundle)
    run_stored(chain, store, say_yes(bundle))
    certificate = sign_certificate(chain.executor.commitment, genesis=SPLIT_GENESIS)
    store.perform([StoreCommitmentCertificate(certificate)])
    item_id = chain.blocks[-1].results[0].item_id
    assert build_stored_receipt(store.reader, item_id) is None
    assert build_stored_receipt(store.reader, bundle.id) is not None


def test_unknown_bundle_has_no_story(tmp_path: Path) -> None:
    """Control."""
    assert read_story(open_store(make_home(tmp_path)).reader, SPLIT_GENESIS, bytes(32)) is None
