"""Clients of a running server: the tools and plugins over there, over REST."""

import asyncio
import contextlib
import functools
import http.client
import json
import socket
import urllib.parse


class ClientError(Exception):
    """The server refused, or the tool failed. `code` is its stable word for why, `status` the one of HTTP, and `errors` says
    of each argument that does not fit where it is and what was expected."""

    def __init__(self, message, code, status=None, errors=()):
        super().__init__(message)
        self.code, self.status, self.errors = code, status, list(errors)


class Client:
    """The server at `url`. `token` is the operator's or an agent's, where the server wants one; `timeout` is how long to wait
    for an answer, in seconds. May be used from any number of threads.

    What the server answers is given as it is: `docs/rest.md` shows it. A tool that fails, a server that refuses and one that
    does not answer raise `ClientError`.
    """

    def __init__(self, url="http://127.0.0.1:8000", token=None, timeout=600.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as 'http://127.0.0.1:8000'")
        self.url, self.token, self.timeout = url.rstrip("/"), token, timeout
        self._parts = parts
        self._connection = None

    def execute(self, tool_name, /, **arguments):
        """Calls a tool and returns its result."""
        answer = self._send("POST", f"/tools/{_quoted(tool_name)}/execute", {"arguments": arguments})
        if answer["is_error"]:
            raise ClientError(answer["error"]["message"], answer["error"]["code"], 200)
        return answer["result"]

    def tools(self, **filters):
        """All tools, or those that the filters `category`, `competency`, `plugin` and `q` leave."""
        found = []
        while True:
            page = self._send("GET", "/tools?" + urllib.parse.urlencode({**filters, "offset": len(found)}))
            found.extend(page["tools"])
            if not page["tools"] or len(found) >= page["total"]:
                return found

    def tool(self, tool_name):
        """One tool."""
        return self._send("GET", f"/tools/{_quoted(tool_name)}")

    def plugins(self):
        """All plugins that the server knows, loaded or not."""
        return self._send("GET", "/plugins")["plugins"]

    def plugin(self, plugin_id):
        """One plugin."""
        return self._send("GET", f"/plugins/{_quoted(plugin_id)}")

    def discover_plugins(self):
        """Lets the server look for plugins in its folders."""
        return self._send("POST", "/plugins/discover", {})

    def load_plugin(self, plugin_id, config=None):
        """Loads a plugin, and those that it needs."""
        body = {"plugin_id": plugin_id} if config is None else {"plugin_id": plugin_id, "config": config}
        return self._send("POST", "/plugins/load", body)

    def enable_plugin(self, plugin_id):
        """Offers a plugin's tools to agents."""
        return self._send("POST", f"/plugins/{_quoted(plugin_id)}/enable", {})

    def disable_plugin(self, plugin_id):
        """Refuses every call of a plugin's tools from now on."""
        return self._send("POST", f"/plugins/{_quoted(plugin_id)}/disable", {})

    def reload_plugin(self, plugin_id):
        """Runs a plugin's code as it is now; no call is lost."""
        return self._send("POST", f"/plugins/{_quoted(plugin_id)}/reload", {})

    def unload_plugin(self, plugin_id):
        """Removes what a plugin contributed, and stops it."""
        return self._send("POST", f"/plugins/{_quoted(plugin_id)}/unload", {})

    def create_plugin(self, plugin_id, name, **fields):
        """Makes a plugin of code: `tools`, each with its `code`, or `code`; `description` and what else `docs/rest.md` lists."""
        return self._send("POST", "/plugins/dynamic", {"plugin_id": plugin_id, "name": name, **fields})

    def chat(self, agent_id, message, conversation_id=None):
        """Says something to an agent. Yields what happens, each a dictionary with its name in `event`, as `docs/agents.md` lists
        them; the last one is `done`, and holds the whole `text` and the `conversation_id` to go on with. An answer that comes to
        no end of its own raises `ClientError`. Whoever stops reading and closes the iterator stops the agent."""
        body = {"message": message}
        if conversation_id is not None:
            body["conversation_id"] = conversation_id
        connection, response = self._open("POST", f"/agents/{_quoted(agent_id)}/chat", body)
        try:
            yield from self._events(response)
        finally:
            connection.close()

    def conversations(self, agent_id):
        """The conversations with an agent; the one in which something was said last comes first."""
        return self._send("GET", f"/agents/{_quoted(agent_id)}/conversations")["conversations"]

    def conversation(self, agent_id, conversation_id):
        """One conversation, with all that was said in it."""
        return self._send("GET", f"/agents/{_quoted(agent_id)}/conversations/{_quoted(conversation_id)}")

    def health(self):
        """How the server feels."""
        return self._send("GET", "/health")

    def _send(self, method, path, body=None):
        connection, response = self._open(method, path, body)
        try:
            return self._answer(response)
        finally:
            connection.close()

    def _open(self, method, path, body=None):
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = self._connection = kind(self._parts.hostname, self._parts.port, timeout=self.timeout)
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body, allow_nan=False)
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error

    def _answer(self, response):
        try:
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise ClientError(f"{self.url} answers with something that is no JSON", "protocol_error", response.status) from error
        if response.status >= 400:
            detail = answer.get("detail") or answer.get("title") or response.reason
            raise ClientError(detail, answer.get("code", "error"), response.status, answer.get("errors", ()))
        return answer

    def _events(self, response):
        """The events of a stream, each with the data that it has as JSON."""
        if response.status >= 400:
            self._answer(response)
        data = []
        while True:
            try:
                line = response.readline()
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
            if not line:
                raise ClientError("the answer broke off: the server ended it", "broke_off", response.status)
            line = line.decode().rstrip("\r\n")
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif not line and data:
                event = json.loads("\n".join(data))
                data.clear()
                if event["event"] == "error":
                    raise ClientError(event["message"], event["code"], response.status)
                yield event
                if event["event"] == "done":
                    return

    def _unreachable(self, error):
        return ClientError(f"the server at {self.url} does not answer: {error}", "unreachable")

    def _leave(self):
        """Ends the call that runs in another thread. The server stops the work of a client that goes away."""
        connection = self._connection
        held = connection and connection.sock
        if held:
            # That the other side is gone already is as good.
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def __repr__(self):
        return f"<{type(self).__name__} {self.url}>"


class AsyncClient(Client):
    """`Client` for asyncio: the same methods, to be awaited. Calls overlap; one that is cancelled is stopped over there."""


def _awaited(name):
    method = getattr(Client, name)

    @functools.wraps(method)
    async def call(self, /, *arguments, **named):
        # A client of its own for each call, so that it is known which connection to close.
        client = Client(self.url, self.token, self.timeout)
        try:
            return await asyncio.to_thread(method, client, *arguments, **named)
        except asyncio.CancelledError:
            client._leave()
            raise

    return call


async def _chat(self, agent_id, message, conversation_id=None):
    client = Client(self.url, self.token, self.timeout)
    events = client.chat(agent_id, message, conversation_id)
    try:
        while (event := await asyncio.to_thread(next, events, None)) is not None:
            yield event
    finally:
        # Also ends a read that goes on in another thread. The generator itself is closed there when it has ended.
        client._leave()


for _name in [name for name, value in vars(Client).items() if not name.startswith("_") and callable(value)]:
    setattr(AsyncClient, _name, _awaited(_name))
_chat.__doc__ = Client.chat.__doc__
AsyncClient.chat = _chat


def _quoted(text):
    return urllib.parse.quote(str(text), safe="")
