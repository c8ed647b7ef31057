"""Translate between the network, which knows names and bytes, and the replica, which knows validators and messages.

Promises: bytes become typed messages here and nowhere else; a peer whose bytes are no message
of the channel is banned for 60 s and counted, and nothing more of it is read; `Conversation`
says what is not even decoded. A full node reaches validators over the open
channel, on which only catch-up travels. # G4
"""

from __future__ import annotations

from collections import Counter

import trio

from p2p.network import GossipArrived, MessageArrived, Network, PeerDown, PeerUp, StrangerDown, StrangerUp
from p2p.protocols import ChannelName
from sequencer.errors import DecodeError, PeerError
from sequencer.node.conversation import Conversation
from sequencer.node.event_log import EventLog
from sequencer.node.followers import Followers
from sequencer.node.gossip import Gossip
from sequencer.node.inbox import Inbox
from sequencer.node.verdicts import VerdictGossip
from sequencer.node.wire_record import WireRecorder
from sequencer.types.events import ItemsGossiped, MessageReceived, PeerConnected, PeerDisconnected, VotesReceived
from sequencer.types.genesis import Genesis
from sequencer.types.messages import Channel, Message, decode_message, encode_message, find_message_type, get_channel
from sequencer.types.primitives import ValidatorIndex

BAN_SECONDS = 60.0
"""How long a peer that broke the protocol is refused."""


class Border:
    """Both directions of one node's traffic."""

    def __init__(
        self,
        network: Network,
        genesis: Genesis,
        *,
        is_validator: bool,
        gossip: Gossip,
        verdicts: VerdictGossip,
        followers: Followers,
        event_log: EventLog,
        recorder: WireRecorder,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._network = network
        self._names = [validator.name for validator in genesis.validators]
        self._indices = {name: index for index, name in enumerate(self._names)}
        self._is_validator = is_validator
        self._gossip = gossip
        self._verdicts = verdicts
        self._followers = followers
        self._event_log = event_log
        self._recorder = recorder
        self._conversations: dict[str, Conversation] = {}
        self._banned: set[str] = set()
        """Who was banned and has not connected again; what is still queued of them is dropped."""

    def send(self, peer: ValidatorIndex, message: Message) -> None:
        """Queue a message for one validator; lost if its channel is down or full."""
        if self._is_sendable(message):
            name, channel, payload = self._names[peer], self._get_channel_name(message), encode_message(message)
            if name in self._conversations:
                self._conversations[name].on_sent(message, len(payload))
            if not self._network.send(name, channel, payload):
                self.counters[f"{channel}_not_sent"] += 1

    def broadcast(self, message: Message) -> None:
        """Queue a message for every other validator, encoded once."""
        if self._is_sendable(message):
            self._network.broadcast(self._get_channel_name(message), encode_message(message))

    def ban(self, peer: ValidatorIndex, reason: str) -> None:
        """Close the connections to a validator that broke the protocol."""
        self._ban(self._names[peer], reason)

    def _ban(self, name: str, reason: str) -> None:
        if name in self._banned:
            return
        self._banned.add(name)
        self.counters["peers_banned"] += 1
        self._event_log.write("fault", {"peer": name, "text": f"banned for {BAN_SECONDS:g} s: {reason}"})
        self._network.ban(name, BAN_SECONDS)

    def _is_sendable(self, message: Message) -> bool:
        """A full node only asks: nobody hears anything else of a stranger."""
        return self._is_validator or self._followers.is_request(type(message))

    def _get_channel_name(self, message: Message) -> ChannelName:
        if not self._is_validator:
            return "open"
        return "votes" if get_channel(message) is Channel.VOTES else "data"

    async def read(self, inbox: Inbox) -> None:
        """Hand everything that arrives to the inbox, until the network stops."""
        async for event in self._network.events:
            match event:
                case PeerUp(name):
                    self._banned.discard(name)
                    self._conversations[name] = Conversation(self.counters)
                    self._event_log.write("peer_up", {"peer": name})
                    await inbox.put(PeerConnected(self._indices[name]))
                case PeerDown(name):
                    del self._conversations[name]
                    self._event_log.write("fault", {"peer": name, "text": "connection lost"})
                    await inbox.put(PeerDisconnected(self._indices[name]))
                case MessageArrived():
                    await self._receive(event, inbox)
                case GossipArrived(peer_id, data, "verdicts"):
                    votes = self._verdicts.unpack(peer_id, data)
                    if votes:
                        await inbox.put(VotesReceived(votes))
                case GossipArrived(peer_id, data):
                    items = self._gossip.unpack(peer_id, data)
                    if items:
                        await inbox.put(ItemsGossiped(items))
                case StrangerUp(name):
                    self._banned.discard(name)
                    self.counters["followers_up"] += 1
                case StrangerDown(name):
                    self._banned.discard(name)
                    self._followers.forget(name)
                    self.counters["followers_down"] += 1

    async def _receive(self, event: MessageArrived, inbox: Inbox) -> None:
        if event.name in self._banned:
            self.counters["messages_of_banned"] += 1
            return
        try:
            message = self._read(event)
        except PeerError as error:
            self._ban(event.name, str(error))
            return
        if message is None:
            return
        self.counters[f"{event.channel}_received"] += 1
        sender = self._indices.get(event.name)
        if sender is None:
            self._followers.receive(event.name, message)
            return
        self._recorder.record(sender, message)
        await inbox.put(MessageReceived(sender, message))

    def _read(self, event: MessageArrived) -> Message | None:
        """Return the message, None if it is refused unread; raises `DecodeError` and `PeerError`."""
        conversation = self._conversations.get(event.name)
        kind = find_message_type(event.payload)
        if conversation is not None and not conversation.may_say(kind, trio.current_time()):
            return None
        if event.name not in self._indices and not self._followers.is_request(kind):
            self._followers.refuse(event.name)
            return None
        # On the open channel only catch-up and evidence travel, as messages of the data channel.
        channel = Channel.VOTES if event.channel == "votes" else Channel.DATA
        try:
            return decode_message(event.payload, channel)
        except DecodeError:
            self.counters["messages_undecodable"] += 1
            raise
