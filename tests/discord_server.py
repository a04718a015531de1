"""A strict Discord on loopback: REST v10 and gateway v10, as far as a bot uses them, with Discord's own refusals.

It runs on a thread of its own, so tests are plain functions: they do what a person does (`slash`, `say`,
`press`) and wait for what is shown (`until`). What a real Discord would refuse is refused and also noted in
`violations`; nothing here knows the bot's code.
"""

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import WSMsgType, web

T = TypeVar("T")
Json = dict[str, Any]

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GhIjKl.a-secret-that-nobody-may-ever-read-0"
APPLICATION, BOT, OTHER_BOT, GUILD, ROLE = 100, 101, 102, 200, 500
GENERAL, OTHER = 300, 301
ADA, BEN, MANAGER = 401, 402, 499
EPOCH_MS = 1_420_070_400_000
NOW = "2026-01-01T00:00:00+00:00"
MANAGE_GUILD, ALL_BUT_MANAGE = 1 << 5, ((1 << 46) - 1) & ~((1 << 5) | (1 << 3))
GUILD_MESSAGES, DM_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15
# A test waits for a condition, and fails after this long; two busy cores can take a minute to import torch.
PATIENCE_S = 400.0


class Refused(Exception):
    """An error as Discord's API answers it."""

    def __init__(self, status: int, code: int, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


@dataclass
class Interaction:
    """What became of something a person did."""

    id: str
    token: str
    at: float
    user: int
    acknowledged: int | None = None
    data: Json = field(default_factory=dict)
    message: Json | None = None
    """Its original response."""
    followups: list[Json] = field(default_factory=list)

    @property
    def text(self) -> str:
        return (self.message or {}).get("content", "") or ""


@dataclass
class Failure:
    """Requests that match are answered so, this many times."""

    pattern: str
    status: int
    times: int
    retry_after: float = 0.0


class DiscordServer:
    """Start it with `with DiscordServer() as discord`."""

    def __init__(self, heartbeat_ms: int = 2000) -> None:
        self.acknowledge_within_s, self.token_life_s = 3.0, 900.0
        self.heartbeat_ms = heartbeat_ms
        self.changed = threading.Condition()
        self.violations: list[str] = []
        self.requests: list[tuple[str, Json]] = []
        self.messages: dict[str, Json] = {}
        self.channels: dict[int, Json] = {
            number: {
                "id": str(number),
                "type": 0,
                "name": f"channel-{number}",
                "position": 0,
                "permission_overwrites": [],
            }
            for number in (GENERAL, OTHER)
        }
        self.interactions: dict[str, Interaction] = {}
        self.commands: list[Json] = []
        self.syncs = 0
        self.identifies = self.resumes = 0
        self.heartbeats: list[float] = []
        self.zombies = 0
        self.failures: list[Failure] = []
        self.closed_channels: set[int] = set()
        self.refuse_threads = False
        self.refuse_gateway = 0
        self.deny_message_content = False
        self.roles: dict[int, list[str]] = {}
        self._counter = itertools.count(1)
        self._sequence = 0
        self._session = ""
        self._log: list[Json] = []
        self._intents = 0
        self._socket: web.WebSocketResponse | None = None
        self._events: list[tuple[str, Json]] = []
        self._channel_of: dict[str, int] = {}

    # --- running ---

    def __enter__(self) -> "DiscordServer":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="discord", daemon=True)
        self._thread.start()
        self.port = self._do(self._start())
        self.api_base = f"http://127.0.0.1:{self.port}/api/v10"
        self.gateway = f"ws://127.0.0.1:{self.port}/gw/"
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> int:
        app = web.Application(client_max_size=30 << 20)
        app.router.add_get("/gw/", self._gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    # --- waiting ---

    def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Wait until this is true, and return it."""
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE_S):
                last = "\n".join(f"{path} {str(body)[:300]}" for path, body in self.requests[-12:])
                raise AssertionError(f"never {what or 'came true'}; the last requests:\n{last}")
            return condition()

    def answered(self, interaction: Interaction) -> Json:
        """Wait for an answer's final reply; returns the message that carries its buttons."""
        final = self.until(lambda: self.final(interaction), "a final reply")
        assert final is not None
        return final

    def final(self, interaction: Interaction) -> Json | None:
        """The message with an answer's buttons, once it is there."""
        shown = [interaction.message, *interaction.followups] if interaction.message else []
        return next((message for message in shown if message and is_final(message)), None)

    def in_channel(self, channel: int, by: int = BOT) -> list[Json]:
        """What somebody said in a channel, oldest first."""
        said = [m for m in self.messages.values() if m["channel_id"] == str(channel)]
        return [m for m in said if m["author"]["id"] == str(by)]

    # --- what people do ---

    def slash(
        self, name: str, user: int = ADA, channel: int = GENERAL, given: Json | None = None, **options: object
    ) -> Interaction:
        """Use a command. `given` holds options whose names are parameters here."""
        everything = {**options, **(given or {})}
        data: Json = {"id": "1", "name": name, "type": 1, "options": _options(everything), "resolved": {}}
        if "channel" in everything:
            chosen = self.channels[int(everything["channel"])]
            data["resolved"]["channels"] = {chosen["id"]: chosen | {"permissions": str(ALL_BUT_MANAGE)}}
        if "role" in everything:
            data["resolved"]["roles"] = {str(ROLE): self._role(ROLE, "readers")}
        return self._interact(2, data, user, channel)

    def autocomplete(self, name: str, user: int = ADA, **options: object) -> list[Json]:
        given = [option | {"focused": True} for option in _options(options)]
        asked = self._interact(4, {"id": "1", "name": name, "type": 1, "options": given}, user, GENERAL)
        self.until(lambda: asked.acknowledged == 8, "titles were offered")
        choices: list[Json] = asked.data["choices"]
        return choices

    def context_menu(self, name: str, message: Json, user: int = ADA) -> Interaction:
        data = {"id": "2", "name": name, "type": 3, "target_id": message["id"]}
        data["resolved"] = {"messages": {message["id"]: self._plain(message)}}
        return self._interact(2, data, user, int(message["channel_id"]))

    def press(self, message: Json, action: str, user: int = ADA, values: Sequence[str] = ()) -> Interaction:
        """Press the button, or choose from the menu, whose id holds the action."""
        component = next((c for c in components(message) if f":{action}:" in c["custom_id"]), None)
        assert component is not None, f"no {action} under {message['content'][:200]}"
        data = {"custom_id": component["custom_id"], "component_type": component["type"], "values": list(values)}
        return self._interact(3, data, user, int(message["channel_id"]), message=self._plain(message))

    def submit(self, form: Interaction, value: str, user: int = ADA) -> Interaction:
        """Send in the form that an interaction was answered with."""
        label = form.data["components"][0]
        part = {"type": 4, "id": 2, "custom_id": label["component"]["custom_id"], "value": value}
        data = {"custom_id": form.data["custom_id"], "components": [{"type": 18, "id": 1, "component": part}]}
        return self._interact(5, data, user, GENERAL)

    def say(
        self,
        content: str,
        user: int = ADA,
        channel: int = GENERAL,
        reply_to: Json | None = None,
        mention: bool = False,
        ping: bool = True,
    ) -> Json:
        """Write a message. `mention` mentions the bot; a reply with `ping` mentions whom it replies to, wordlessly."""
        content = f"<@{BOT}> {content}" if mention else content
        mentioned = {BOT} if mention else set()
        if reply_to is not None and ping:
            mentioned.add(int(reply_to["author"]["id"]))
        return self._do(self._say(content, user, channel, reply_to, sorted(mentioned)))

    def direct(self, user: int) -> int:
        """The channel of direct messages with a person."""
        return 10_000 + user

    # --- what Discord does ---

    def disconnect(self, code: int) -> None:
        """Close the connection."""
        self._do(self._close(code))

    def ask_to_reconnect(self) -> None:
        self._do(self._send(7, None))

    def lose_session(self) -> None:
        """The next RESUME is refused."""
        self._session = "lost"

    def fail(self, pattern: str, status: int, times: int = 1, retry_after: float = 0.0) -> None:
        self.failures.append(Failure(pattern, status, times, retry_after))

    # --- gateway ---

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_gateway:
            self.refuse_gateway -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": self.heartbeat_ms}, "s": None, "t": None})
        beat = time.monotonic()
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            payload = json.loads(message.data)
            now = time.monotonic()
            if payload["op"] == 1:
                if now - beat > self.heartbeat_ms / 1000 * 2:  # Discord would have closed it as dead
                    self.zombies += 1
                beat = now
                with self.changed:
                    self.heartbeats.append(now)
                    self.changed.notify_all()
                await socket.send_json({"op": 11, "d": None, "s": None, "t": None})
            elif payload["op"] == 2:
                await self._identify(socket, payload["d"])
            elif payload["op"] == 6:
                await self._resume(socket, payload["d"])
        return socket

    async def _identify(self, socket: web.WebSocketResponse, wanted: Json) -> None:
        if wanted["token"] != TOKEN:
            await socket.close(code=4004)
            return
        self._intents = wanted["intents"]
        if self._intents & MESSAGE_CONTENT and self.deny_message_content:
            await socket.close(code=4014)
            return
        self._session, self._log, self._sequence = f"session-{self._id()}", [], 0
        self._socket = socket
        ready = {
            "v": 10,
            "user": _user(BOT),
            "session_id": self._session,
            "guilds": [{"id": str(GUILD), "unavailable": True}],
        }
        ready |= {"application": {"id": str(APPLICATION), "flags": 0}, "resume_gateway_url": self.gateway}
        await self._dispatch("READY", ready)
        threads = [channel for channel in self.channels.values() if channel["type"] == 11]
        guild = {
            "id": str(GUILD), "name": "lab", "owner_id": str(MANAGER), "unavailable": False, "member_count": 9,
            "roles": [self._role(GUILD, "@everyone"), self._role(ROLE, "readers")], "members": [self._member(BOT)],
            "channels": [channel for channel in self.channels.values() if channel["type"] == 0], "threads": threads,
        }  # fmt: skip
        await self._dispatch("GUILD_CREATE", guild)
        with self.changed:
            self.identifies += 1
            self.changed.notify_all()

    async def _resume(self, socket: web.WebSocketResponse, wanted: Json) -> None:
        if wanted["session_id"] != self._session:
            await socket.send_json({"op": 9, "d": False, "s": None, "t": None})
            return
        seen = wanted["seq"] or 0
        while missed := [event for event in self._log if event["s"] > seen]:
            for event in missed:
                await socket.send_json(event)
            seen = missed[-1]["s"]
        self._socket = socket
        await self._dispatch("RESUMED", {})
        with self.changed:
            self.resumes += 1
            self.changed.notify_all()

    async def _dispatch(self, name: str, data: Json) -> None:
        self._sequence += 1
        self._log.append({"op": 0, "t": name, "s": self._sequence, "d": data})
        del self._log[:-500]
        if self._socket is not None and not self._socket.closed:
            try:
                await self._socket.send_json(self._log[-1])
            except ConnectionError:
                return

    async def _send(self, op: int, data: object) -> None:
        assert self._socket is not None
        await self._socket.send_json({"op": op, "d": data, "s": None, "t": None})

    async def _close(self, code: int) -> None:
        if self._socket is not None:
            await self._socket.close(code=code)

    # --- REST ---

    async def _rest(self, request: web.Request) -> web.Response:
        path = f"{request.method} /{request.match_info['path']}"
        try:
            body = await _body(request)
            self._authorize(request, path)
            with self.changed:
                self.requests.append((path, body))
                if TOKEN in json.dumps(body):
                    self.violations.append(f"the token was sent in {path}")
                failure = next((f for f in self.failures if f.times and re.search(f.pattern, path)), None)
                if failure:
                    failure.times -= 1
                    raise Refused(failure.status, 0, "as the test wants it", failure.retry_after)
                created = self._route(path, body)
        except Refused as refused:
            error = {"code": refused.code, "message": refused.message}
            if refused.status == 429:
                error |= {"retry_after": refused.retry_after, "global": False}
            return _json(error, refused.status)
        finally:
            with self.changed:
                self.changed.notify_all()
        for name, event in self._events:
            await self._dispatch(name, event)
        self._events.clear()
        return web.Response(status=204) if created is None else _json(created)

    def _authorize(self, request: web.Request, path: str) -> None:
        if re.search(r"/(webhooks|interactions)/\d+/token-", path):
            return
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise Refused(401, 0, "401: Unauthorized")

    def _route(self, path: str, body: Json) -> Any:
        if path == "GET /users/@me":
            return _user(BOT)
        if path == "GET /oauth2/applications/@me":
            return {
                "id": str(APPLICATION), "name": "footnote", "description": "", "icon": None, "bot_public": False,
                "bot_require_code_grant": False, "owner": _user(MANAGER), "verify_key": "00", "flags": 0,
            }  # fmt: skip
        if re.fullmatch(r"PUT /applications/\d+/commands", path):
            return self._register(body["list"])
        if match := re.fullmatch(r"POST /interactions/(\d+)/(token-\d+)/callback", path):
            return self._acknowledge(self.interactions[match[2]], body)
        if match := re.fullmatch(r"(\w+) /webhooks/\d+/(token-\d+)(?:/messages/(@original|\d+))?", path):
            return self._webhook(match[1], self.interactions[match[2]], match[3], body)
        if match := re.fullmatch(r"(\w+) /channels/(\d+)/messages(?:/(\d+))?(/threads)?", path):
            channel = int(match[2])
            if channel in self.closed_channels:
                raise Refused(403, 50001, "Missing Access")
            if match[4]:
                return self._open_thread(channel, match[3], body)
            if match[1] == "POST":
                return self._store(body, channel)
            return self._change(match[1], match[3], body)
        self.violations.append(f"there is no {path}")
        raise Refused(404, 0, f"there is no {path}")

    def _register(self, commands: list[Json]) -> list[Json]:
        for command in commands:
            name = r"[-_a-z0-9]{1,32}" if command.get("type", 1) == 1 else r".{1,32}"
            options = command.get("options", [])
            described = [command, *options] if command.get("type", 1) == 1 else []
            if (
                not re.fullmatch(name, command["name"])
                or len(options) > 25
                or any(not 1 <= len(part["description"]) <= 100 for part in described)
            ):
                self._invalid(f"command {command['name']}")
        self.syncs += 1
        self.commands = [
            {"description": "", **command, "id": str(number), "application_id": str(APPLICATION), "version": "1"}
            for number, command in enumerate(commands, 1)
        ]
        return self.commands

    def _acknowledge(self, interaction: Interaction, body: Json) -> Json:
        if time.monotonic() - interaction.at > self.acknowledge_within_s:
            raise Refused(404, 10062, "Unknown interaction")
        if interaction.acknowledged is not None:
            self.violations.append("an interaction was acknowledged twice")
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        data = body.get("data") or {}
        if body["type"] == 8 and (len(data["choices"]) > 25 or any(len(c["name"]) > 100 for c in data["choices"])):
            self._invalid("autocomplete")
        if body["type"] in (4, 5):
            channel = self._channel_of[interaction.token]
            interaction.message = self._store(data, channel, deferred=body["type"] == 5)
        interaction.acknowledged, interaction.data = body["type"], data
        answer: Json = {"interaction": {"id": interaction.id, "type": 2}}
        if interaction.message:
            answer["interaction"]["response_message_id"] = interaction.message["id"]
            answer["resource"] = {"type": body["type"], "message": self._plain(interaction.message)}
        return answer

    def _webhook(self, method: str, interaction: Interaction, message: str | None, body: Json) -> Any:
        if time.monotonic() - interaction.at > self.token_life_s:
            raise Refused(401, 50027, "Invalid Webhook Token")
        if interaction.acknowledged is None:
            raise Refused(404, 10015, "Unknown Webhook")
        if method == "POST":
            interaction.followups.append(self._store(body, self._channel_of[interaction.token]))
            return self._plain(interaction.followups[-1])
        original = interaction.message["id"] if message == "@original" and interaction.message else message
        return self._change(method, original, body)

    def _open_thread(self, channel: int, message: str | None, body: Json) -> Json:
        if self.refuse_threads:
            raise Refused(403, 50013, "Missing Permissions")
        assert message is not None
        if not 1 <= len(body["name"]) <= 100:
            self._invalid("the name of a thread")
        thread = {
            "id": message, "type": 11, "name": body["name"], "parent_id": str(channel), "owner_id": str(BOT),
            "guild_id": str(GUILD), "message_count": 0, "member_count": 1, "rate_limit_per_user": 0,
            "thread_metadata": {"archived": False, "auto_archive_duration": 60, "archive_timestamp": NOW, "locked": False},
        }  # fmt: skip
        self.channels[int(message)] = thread
        self._events.append(("THREAD_CREATE", thread))
        return thread

    def _store(self, body: Json, channel: int, author: int = BOT, deferred: bool = False) -> Json:
        if author == BOT and not deferred:
            self._check(body)
        message = {
            "id": self._id(), "channel_id": str(channel), "type": 0, "author": _user(author), "timestamp": NOW,
            "edited_timestamp": None, "attachments": [], "mentions": [], "mention_roles": [], "mention_everyone": False,
            "pinned": False, "tts": False, "content": body.get("content") or "", "embeds": body.get("embeds") or [],
            "components": body.get("components") or [], "flags": body.get("flags", 0), "files": body.get("files", {}),
            "shown": [],
        }  # fmt: skip
        if "message_reference" in body:
            message["message_reference"] = body["message_reference"]
        self.messages[message["id"]] = message
        return message if author == BOT and deferred else self._noted(message)

    def _change(self, method: str, message_id: str | None, body: Json) -> Any:
        message = self.messages.get(message_id or "")
        if message is None:
            raise Refused(404, 10008, "Unknown Message")
        if message["author"]["id"] != str(BOT):
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        if method == "PATCH":
            self._check(body, edit=True)
            message |= {
                key: body[key] or ([] if key != "content" else "")
                for key in ("content", "embeds", "components")
                if key in body
            }
            self._noted(message)
        return self._plain(message)

    def _noted(self, message: Json) -> Json:
        """Keep everything a message ever showed."""
        message["shown"].append(message["content"])
        return message

    def _check(self, body: Json, edit: bool = False) -> None:
        content, embeds = body.get("content") or "", body.get("embeds") or []
        rows = body.get("components") or []
        if (body.get("allowed_mentions") or {}).get("parse") != []:
            self.violations.append(f"mentions were allowed in {content[:80]!r}")
        if not edit and not (content or embeds or rows or body.get("files")):
            self.violations.append("an empty message was sent")
            raise Refused(400, 50006, "Cannot send an empty message")
        lengths = [len(e.get("title", "")) + len(e.get("description", "")) for e in embeds]
        lengths += [len(f["name"]) + len(f["value"]) for e in embeds for f in e.get("fields", [])]
        if len(content) > 2000 or sum(lengths) > 6000 or len(embeds) > 10:
            self._invalid(f"a message of {len(content)} characters and {sum(lengths)} in embeds")
        for embed in embeds:
            fields = embed.get("fields", [])
            if (
                len(embed.get("title", "")) > 256
                or len(embed.get("description", "")) > 4096
                or len(fields) > 25
                or any(not 1 <= len(f["name"]) <= 256 or not 1 <= len(f["value"]) <= 1024 for f in fields)
            ):
                self._invalid("an embed")
        parts = [part for row in rows for part in row["components"]]
        ids = [part["custom_id"] for part in parts]
        if len(rows) > 5 or len(set(ids)) != len(ids) or any(not 1 <= len(name) <= 100 for name in ids):
            self._invalid("the ids of components")
        for row in rows:
            buttons = [part for part in row["components"] if part["type"] == 2]
            menus = [part for part in row["components"] if part["type"] == 3]
            if len(buttons) > 5 or (menus and len(row["components"]) > 1):
                self._invalid("a row of components")
            if any(not (b.get("label") or b.get("emoji")) or len(b.get("label") or "") > 80 for b in buttons):
                self._invalid("a button")
            for menu in menus:
                texts = [(o["label"], o["value"], o.get("description") or "") for o in menu["options"]]
                if not 1 <= len(texts) <= 25 or any(
                    not a or len(a) > 100 or len(b) > 100 or len(c) > 100 for a, b, c in texts
                ):
                    self._invalid("a menu")

    def _invalid(self, what: str) -> None:
        self.violations.append(f"invalid: {what}")
        raise Refused(400, 50035, "Invalid Form Body")

    # --- building ---

    def _interact(self, kind: int, data: Json, user: int, channel: int, **extra: Any) -> Interaction:
        return self._do(self._begin(kind, data, user, channel, extra))

    async def _begin(self, kind: int, data: Json, user: int, channel: int, extra: Json) -> Interaction:
        number = self._id()
        interaction = Interaction(number, f"token-{number}", time.monotonic(), user)
        self.interactions[interaction.token] = interaction
        self._channel_of[interaction.token] = channel
        event: Json = {
            "id": number, "application_id": str(APPLICATION), "type": kind, "token": interaction.token, "version": 1,
            "data": data, "channel_id": str(channel), "app_permissions": str(ALL_BUT_MANAGE), "entitlements": [],
            "locale": "en-US", "attachment_size_limit": 10 << 20, "authorizing_integration_owners": {}, **extra,
        }  # fmt: skip
        if channel in self.channels:
            event |= {
                "guild_id": str(GUILD),
                "channel": self.channels[channel],
                "member": self._member(user),
                "context": 0,
            }
        else:
            event |= {"channel": {"id": str(channel), "type": 1}, "user": _user(user), "context": 1}
        await self._dispatch("INTERACTION_CREATE", event)
        return interaction

    async def _say(self, content: str, user: int, channel: int, reply_to: Json | None, mentioned: list[int]) -> Json:
        with self.changed:
            message = self._store({"content": content}, channel, user)
        event = self._plain(message) | {"mentions": [_user(number) for number in mentioned]}
        wanted = DM_MESSAGES
        if channel in self.channels:
            event |= {"guild_id": str(GUILD), "member": {k: v for k, v in self._member(user).items() if k != "user"}}
            wanted = GUILD_MESSAGES
            if not self._intents & MESSAGE_CONTENT and BOT not in mentioned:
                event["content"] = ""
        if reply_to is not None:
            event |= {"type": 19, "referenced_message": self._plain(reply_to)}
            event["message_reference"] = {"message_id": reply_to["id"], "channel_id": reply_to["channel_id"]}
        if self._intents & wanted:
            await self._dispatch("MESSAGE_CREATE", event)
        return message

    def _role(self, number: int, name: str) -> Json:
        return {
            "id": str(number), "name": name, "color": 0, "colors": {"primary_color": 0}, "hoist": False, "position": 0,
            "permissions": str(ALL_BUT_MANAGE), "managed": False, "mentionable": False, "flags": 0,
        }  # fmt: skip

    def _member(self, user: int) -> Json:
        permissions = ALL_BUT_MANAGE | (MANAGE_GUILD if user == MANAGER else 0)
        member = {
            "user": _user(user),
            "roles": self.roles.get(user, []),
            "joined_at": NOW,
            "deaf": False,
            "mute": False,
        }
        return member | {"flags": 0, "permissions": str(permissions)}

    def _plain(self, message: Json) -> Json:
        return {key: value for key, value in message.items() if key not in ("shown", "files")}

    def _id(self) -> str:
        return str(((time.time_ns() // 1_000_000 - EPOCH_MS) << 22) | (next(self._counter) & 0x3FFFFF))


def components(message: Json) -> list[Json]:
    """The buttons and menus of a message."""
    return [part for row in message["components"] for part in row["components"]]


def actions(message: Json) -> set[str]:
    """What the buttons and menus of a message ask for."""
    return {part["custom_id"].split(":")[1] for part in components(message)}


def is_final(message: Json) -> bool:
    """Whether it shows what became of a question, not how it goes."""
    return "retry" in actions(message)


def _options(options: Json) -> list[Json]:
    kinds = {bool: 5, int: 4, str: 3}
    given = []
    for name, value in options.items():
        kind = {"channel": 7, "role": 8}.get(name, kinds[type(value)])
        given.append({"name": name, "type": kind, "value": value})
    return given


def _user(number: int) -> Json:
    name = "footnote" if number == BOT else f"person-{number}"
    return {
        "id": str(number),
        "username": name,
        "discriminator": "0",
        "global_name": name,
        "avatar": None,
        "bot": number in (BOT, OTHER_BOT),
    }


async def _body(request: web.Request) -> Json:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        body = json.loads(str(form["payload_json"]))
        files = {}
        for part in form.values():
            if isinstance(part, web.FileField):
                files[part.filename] = part.file.read().decode()
        return (
            dict(body.get("data") or body, files=files)
            if "type" not in body
            else body | {"data": body["data"] | {"files": files}}
        )
    if not request.can_read_body:
        return {}
    data = json.loads(await request.read() or b"{}")
    return {"list": data} if isinstance(data, list) else data or {}


def _json(data: Any, status: int = 200) -> web.Response:
    # discord.py reads JSON only under exactly this type, and waits out a 429 only with a Via header.
    headers = {"Content-Type": "application/json", "Via": "1.1 fake"}
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers)
