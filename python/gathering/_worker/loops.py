"""Where async tools run: on one event loop that lasts as long as the worker, if it is free."""

from _thread import allocate_lock


class Loops:
    """The worker's event loop, made by the first async tool."""

    def __init__(self):
        self._loop = None
        self._free = allocate_lock()
        self._tasks = set()

    def run(self, function, arguments):
        """Awaits `function(**arguments)` from code that is not async."""
        import asyncio

        if asyncio._get_running_loop() is not None:
            return self._run_beside(function, arguments)
        if not self._free.acquire(blocking=False):
            return asyncio.run(_call(function, arguments))
        try:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            return self._loop.run_until_complete(_call(function, arguments))
        finally:
            self._free.release()

    def keep(self, task):
        """Holds on to a task until it is done; the loop itself only holds it weakly."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run_beside(self, function, arguments):
        """An async tool called by code that holds up this thread's loop: it runs on a loop and a thread of its own."""
        import asyncio
        import contextvars
        import threading

        outcome = []

        def run():
            try:
                outcome.append((asyncio.run(_call(function, arguments)), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
        thread.start()
        thread.join()
        result, error = outcome[0]
        if error is not None:
            raise error
        return result


async def _call(function, arguments):
    return await function(**arguments)
