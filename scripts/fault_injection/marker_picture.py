"""Read what the rollups of a network hold at one height, over raw JSON-RPC, sharing no code with the node.

Nothing but Python's own library is imported here: what is wrong in the node cannot be wrong here in the same way.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CALL_SECONDS_MAX = 5.0
BLOCKS_PER_CALL = 50
SAMPLE = 5
"""Markers per rollup and picture that are asked for one by one, too."""
MARKER_PREFIX = "kv/m/"

State = dict[str, str]
"""Key → value as RPC tells it."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What was sent."""

    id: str
    key: str
    rollups: tuple[str, ...]


@dataclass(slots=True)
class Picture:
    """All that was read of one height."""

    height: int
    rollups: dict[str, State] = field(default_factory=dict)
    """Rollups that somebody could be asked for."""
    system: State = field(default_factory=dict)


@dataclass(slots=True)
class Blocks:
    """What the blocks of one validator say."""

    height: int = 0
    outcomes: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Id → height of the decision, COMMIT or ABORT."""


class Silent(Exception):
    """A node did not answer, or could not."""


def call(url: str, method: str, **parameters: object) -> Any:
    """Return the result of one JSON-RPC call; raises `Silent`."""
    return call_many(url, [(method, parameters)])[0]


def call_many(url: str, calls: list[tuple[str, dict[str, object]]]) -> list[Any]:
    """Return the results of calls in one request; raises `Silent`."""
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        for number, (method, parameters) in enumerate(calls)
    ]
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS_MAX) as answer:
            replies = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Silent(f"{url}: {error}") from None
    found = {reply.get("id"): reply for reply in replies}
    for number in range(len(calls)):
        if "result" not in found.get(number, {}):
            raise Silent(f"{url}: {found.get(number)}")
    return [found[number]["result"] for number in range(len(calls))]


class Reader:
    """Asks the nodes of one network, different ones in turn."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._validators = [str(node["rpc"]) for node in ready["validators"]]
        self._executors: dict[str, list[str]] = {}
        for node in ready["executors"]:
            self._executors.setdefault(node["rollup"], []).append(str(node["rpc"]))
        self._native = [rollup["name"] for rollup in ready["rollups"] if rollup["kind"] == "native"]
        self._split = [rollup["name"] for rollup in ready["rollups"] if rollup["kind"] == "split"]
        self._turn = 0

    @property
    def rollup_count(self) -> int:
        """Rollups of the network."""
        return len(self._native) + len(self._split)

    def take_picture(self, wanted: int | None = None) -> tuple[Picture, str]:
        """Return the states of one height, and the validator that was asked.

        The height is `wanted`, or the newest that all who answer have executed, whichever is lower.
        """
        self._turn += 1
        validator, height = self._find(self._validators)
        executors = {}
        for rollup in self._split:
            try:
                executors[rollup], own_height = self._find(self._executors[rollup])
            except Silent:
                continue  # nobody who has this state runs: the others are judged without it
            height = min(height, own_height)
        height = height if wanted is None else min(height, wanted)
        picture = Picture(height, system=read_entries(validator, "system", height))
        for rollup in self._native:
            picture.rollups[rollup] = read_entries(validator, rollup, height)
        for rollup, url in executors.items():
            picture.rollups[rollup] = read_entries(url, rollup, height)
            check_sample(url, rollup, picture)
        return picture, validator

    def _find(self, urls: list[str]) -> tuple[str, int]:
        """Return the next node that answers, and its height."""
        for place in range(len(urls)):
            url = urls[(self._turn + place) % len(urls)]
            try:
                return url, int(call(url, "seq_status")["height"])
            except Silent:
                continue
        raise Silent("nobody answers")


def read_entries(url: str, rollup: str, height: int) -> State:
    """Return all that a rollup holds after a height."""
    state: State = {}
    parameters: dict[str, object] = {"rollup": rollup, "height": height}
    while True:
        page = call(url, "dev_getEntries", **parameters)
        state.update(dict(page["entries"]))
        if page["next"] is None:
            return state
        parameters["after"] = page["next"]


def check_sample(url: str, rollup: str, picture: Picture) -> None:
    """Ask for some markers as any client does; raises `AssertionError` if the two ways of asking differ."""
    state = picture.rollups[rollup]
    keys = [key for key in state if key.startswith(MARKER_PREFIX)][-SAMPLE:]
    calls: list[tuple[str, dict[str, object]]] = [
        ("seq_getState", {"rollup": rollup, "key": key, "height": picture.height}) for key in keys
    ]
    for key, told in zip(keys, call_many(url, calls) if calls else (), strict=True):
        assert (told["value"], told["height"]) == (state[key], picture.height), f"{rollup} {key}: {told}"


def read_blocks(blocks: Blocks, url: str, until: int) -> None:
    """Read on until a height."""
    while blocks.height < until:
        start = blocks.height + 1
        told = call(url, "seq_getBlocks", **{"from": start, "until": min(start + BLOCKS_PER_CALL, until + 1)})
        if not told["blocks"]:
            raise Silent(f"{url} has no block {start}")
        for block in told["blocks"]:
            blocks.height = block["height"]
            for outcome in block["outcomes"]:
                blocks.outcomes.setdefault(outcome["id"], (block["height"], outcome["outcome"]))


def read_markers(path: Path) -> list[Marker]:
    """Return what was sent so far."""
    lines = path.read_text().splitlines() if path.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return [Marker(one["id"], one["key"], tuple(one["rollups"])) for one in told]


def decode_message(data: bytes) -> list[Any]:
    """Read a flat msgpack array of numbers, texts and bytes, as a message in flight is one."""
    count, at = data[0] & 0x0F, 1
    values: list[Any] = []
    for _ in range(count):
        kind, at = data[at], at + 1
        if kind < 0x80:
            values.append(kind)
        elif kind in (0xCC, 0xCD, 0xCE, 0xCF):
            size = 1 << (kind - 0xCC)
            values.append(int.from_bytes(data[at : at + size], "big"))
            at += size
        else:
            is_text = kind & 0xE0 == 0xA0 or kind == 0xD9
            size, at = (kind & 0x1F, at) if kind & 0xE0 == 0xA0 else (data[at], at + 1)
            values.append(data[at : at + size].decode() if is_text else data[at : at + size])
            at += size
    return values
