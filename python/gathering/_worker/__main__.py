"""Starts a worker: takes the protocol away from descriptors 0 and 1, then serves until the host goes away.

With the argument `warm` it starts a warm parent instead, whose children become workers.
"""

import os
import sys


def _take_protocol():
    """Moves the pipes on 0 and 1 out of the way of `print`, C libraries and child processes.

    Afterwards 0 reads nothing and 1 and 2 are the log. The copies are closed in programs that a plugin starts.
    """
    import fcntl

    def high(descriptor):
        for lowest in (700, 200, 10):
            try:
                return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
            except OSError:
                continue
        raise SystemExit("no descriptor is free for the protocol")

    requests, replies = high(0), high(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    return requests, replies


def _watch(requests):
    """Leaves when the host is gone, even while a plugin loops."""
    import _thread
    import select

    poll = select.poll()
    poll.register(requests, 0)

    def wait():
        while True:
            if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
                os._exit(1)

    _thread.start_new_thread(wait, ())


def main():
    sdk = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.append(sdk)
    if sys.argv[1:] == ["warm"]:
        from gathering._worker import warm

        warm.main(_become_worker)
    else:
        _become_worker()


def _become_worker():
    requests, replies = _take_protocol()
    _watch(requests)
    import faulthandler

    faulthandler.enable(2)
    from gathering._worker.server import Server

    Server(requests, replies).run()


if __name__ == "__main__":
    main()
