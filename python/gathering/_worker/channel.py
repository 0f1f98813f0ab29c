"""Frames to and from the host: one JSON-RPC 2.0 message a line, and who reads them when several threads wait.

There is no reader thread. Whoever waits reads: one waiting thread leads, reads a frame, hands it to whom it belongs,
and passes the lead on when its own frame has come. A call that comes back into this worker while it waits for a
nested call runs on the very thread that waits for that nested call, as if it had been called directly; when that
thread is busy with another one, it gets a thread of its own. So nothing waits for a thread that waits for it.
"""

import os
from _thread import allocate_lock, start_new_thread
from collections import deque
from json import JSONDecoder
from json.encoder import encode_basestring as quote

_decode = JSONDecoder().decode


class HostGone(BaseException):
    """The host closed the pipe. Not an Exception, so that no plugin swallows it by mistake."""


class Waiter:
    """A thread that waits for the answer to a nested call, or for root requests."""

    __slots__ = ("items", "serving", "_wake")

    def __init__(self):
        self.items = deque()
        self.serving = False
        self._wake = allocate_lock()
        self._wake.acquire()

    def wake(self):
        # Under the channel's lock, so that no two wake at once.
        if self._wake.locked():
            self._wake.release()

    def sleep(self):
        self._wake.acquire()

    def deliver_answer(self, frame):
        self.items.append(frame)
        self.wake()

    def deliver_request(self, frame, _serve):
        if self.serving or self.items:
            return False
        self.items.append(frame)
        self.wake()
        return True


class LoopWaiter:
    """A coroutine that waits for the answer to a nested call. The channel's pump reads for it."""

    __slots__ = ("_loop", "_future", "_serve_task")

    def __init__(self, loop, serve_task):
        self._loop = loop
        self._future = loop.create_future()
        self._serve_task = serve_task

    def deliver_answer(self, frame):
        self._loop.call_soon_threadsafe(self._finish, frame)

    def deliver_request(self, frame, is_async):
        if not is_async(frame):
            return False
        self._loop.call_soon_threadsafe(self._serve_task, frame)
        return True

    def _finish(self, frame):
        if not self._future.done():
            self._future.set_result(frame)

    def __await__(self):
        return self._future.__await__()


class Channel:
    """The two pipes to the host."""

    def __init__(self, requests, replies, serve, is_async):
        self._requests, self._replies = requests, replies
        self._serve = serve
        self._is_async = is_async
        self._unread = b""
        self._writing = allocate_lock()
        self._state = allocate_lock()
        self._led = False
        self._blocked = []
        self._pending = {}
        self._next_id = 0
        self._roots = Waiter()
        self._loop_waiters = 0
        self._pump = None
        os.register_at_fork(after_in_child=self._leave)

    def send(self, frame):
        """Writes one frame, which ends with a newline."""
        with self._writing:
            try:
                written = os.write(self._replies, frame)
                while written < len(frame):
                    written += os.write(self._replies, memoryview(frame)[written:])
            except OSError as error:
                raise HostGone from error

    def next_root(self):
        """Waits for a request that belongs to no call."""
        return self._wait(self._roots)

    def ask(self, method, params):
        """Sends a nested request and waits for its answer, serving what comes back meanwhile."""
        waiter = Waiter()
        id = self._expect(waiter)
        try:
            self.send(_request(id, method, params))
            while True:
                frame = self._wait(waiter)
                if "method" not in frame:
                    return frame
                waiter.serving = True
                try:
                    self._serve(frame)
                finally:
                    waiter.serving = False
        finally:
            self._forget(id)

    async def ask_async(self, method, params, loop, serve_task):
        """The same for a coroutine: the loop goes on meanwhile."""
        waiter = LoopWaiter(loop, serve_task)
        id = self._expect(waiter)
        with self._state:
            self._loop_waiters += 1
            if self._pump is None:
                self._pump = Waiter()
                start_new_thread(self._pump_frames, (self._pump,))
            else:
                self._pump.wake()
        try:
            self.send(_request(id, method, params))
            return await waiter
        finally:
            with self._state:
                self._loop_waiters -= 1
            self._forget(id)

    def _expect(self, waiter):
        with self._state:
            self._next_id += 1
            self._pending[self._next_id] = waiter
            return self._next_id

    def _forget(self, id):
        with self._state:
            self._pending.pop(id, None)

    def _wait(self, waiter):
        state = self._state
        while True:
            with state:
                if waiter.items:
                    return waiter.items.popleft()
                if lead := not self._led:
                    self._led = True
                else:
                    self._blocked.append(waiter)
            if lead:
                try:
                    frame = self._read()
                finally:
                    with state:
                        self._led = False
                with state:
                    self._route(frame)
                    if waiter.items:
                        self._pass_lead()
                        return waiter.items.popleft()
            else:
                waiter.sleep()
                with state:
                    if waiter in self._blocked:
                        self._blocked.remove(waiter)

    def _pump_frames(self, me):
        while True:
            with self._state:
                lead = self._loop_waiters > 0 and not self._led
                if lead:
                    self._led = True
                else:
                    if self._loop_waiters > 0:
                        self._blocked.append(me)
                    self._pass_lead()
            if not lead:
                me.sleep()
                with self._state:
                    if me in self._blocked:
                        self._blocked.remove(me)
                continue
            try:
                frame = self._read()
            except HostGone:
                os._exit(1)
            with self._state:
                self._led = False
                self._route(frame)

    def _pass_lead(self):
        """Wakes one who can lead, if nobody does. Under the lock."""
        if not self._led and self._blocked:
            self._blocked.pop(0).wake()

    def _route(self, frame):
        """Hands the frame to whom it belongs. Under the lock."""
        if "method" not in frame:
            waiter = self._pending.get(frame.get("id"))
            if waiter is not None:
                waiter.deliver_answer(frame)
            return
        parent = frame["params"].get("parent")
        if parent is None:
            self._roots.items.append(frame)
            self._roots.wake()
            return
        waiter = self._pending.get(parent)
        if waiter is None or not waiter.deliver_request(frame, self._is_async):
            start_new_thread(self._serve, (frame,))

    def _read(self):
        """The next frame. Only the leader reads."""
        data = self._unread
        end = data.find(b"\n")
        if end < 0:
            parts = [data] if data else []
            while True:
                try:
                    data = os.read(self._requests, 1 << 18)
                except OSError as error:
                    raise HostGone from error
                if not data:
                    raise HostGone
                parts.append(data)
                end = data.find(b"\n")
                if end >= 0:
                    break
            if len(parts) > 1:
                end += sum(map(len, parts[:-1]))
                data = b"".join(parts)
        self._unread = data[end + 1 :]
        return _decode(data[:end].decode())

    def _leave(self):
        """A forked child is no worker: it keeps nothing of the channel."""
        for descriptor in (self._requests, self._replies):
            try:
                os.close(descriptor)
            except OSError:
                pass


def _request(id, method, params):
    return b'{"jsonrpc":"2.0","id":%d,"method":%s,"params":%s}\n' % (id, quote(method).encode(), params)
