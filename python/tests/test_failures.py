"""What an exception says of what the system denied, however libraries wrap it."""

import errno
import socket
import unittest

from gathering._worker.failures import denied_of


def raised(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def fail_as_the_system_does(address):
    raise PermissionError(errno.EPERM, "Operation not permitted")


class Wrapped(Exception):
    """As `urllib.error.URLError` and others do it."""

    def __init__(self, reason):
        super().__init__("wrapped")
        self.reason = reason


class Hostile(OSError):
    @property
    def filename(self):
        raise RuntimeError("no")

    reason = filename
    errno = errno.EACCES


class DeniedTest(unittest.TestCase):
    def test_a_file_is_named_by_where_it_would_be(self):
        error = raised(lambda: open("/nowhere/../nowhere/file"))

        self.assertEqual(denied_of(error), {"path": "/nowhere/file", "write": False})
        self.assertEqual(
            denied_of(OSError(errno.EROFS, "Read-only file system", b"/x")), {"path": "/x", "write": True}
        )

    def test_a_host_is_named_by_what_was_to_be_connected_to(self):
        error = raised(lambda: fail_as_the_system_does(("api.example.com", 443)))
        unresolved = raised(lambda: socket.getaddrinfo("host.invalid", 80, proto=socket.IPPROTO_TCP))

        self.assertEqual(denied_of(error), {"host": "api.example.com", "port": 443})
        if isinstance(unresolved, socket.gaierror):
            self.assertEqual(denied_of(unresolved), {"host": "host.invalid", "port": 80})

    def test_a_socket_that_could_not_be_made_is_told_from_other_things(self):
        unreachable = OSError(errno.ENETUNREACH, "Network is unreachable")
        not_permitted = OSError(errno.EPERM, "Operation not permitted")

        self.assertEqual(denied_of(unreachable), {"network": True})
        self.assertIsNone(denied_of(not_permitted))

    def test_it_is_found_behind_other_exceptions(self):
        cause = raised(lambda: open("/nowhere/file"))
        expected = {"path": "/nowhere/file", "write": False}

        def from_cause():
            raise ValueError("bad") from cause

        def circle():
            try:
                raise cause
            except OSError:
                raise KeyError("x")

        for error in [Wrapped(cause), raised(from_cause), raised(circle), Wrapped(Wrapped(cause)), ValueError("x", cause)]:
            self.assertEqual(denied_of(error), expected)

    def test_other_exceptions_say_nothing(self):
        circular = ValueError("x")
        circular.args = (circular,)

        for error in [ValueError("x"), OSError(errno.ENOSPC, "full", "/x"), OSError("x"), Hostile(), circular]:
            self.assertIsNone(denied_of(error))

    def test_what_cannot_be_shown_is_not_passed_on(self):
        for name in ["/a\n", "/a\x1b[2J", "/" + "x" * 5000, b"/\xff", 3]:
            self.assertIsNone(denied_of(OSError(errno.ENOENT, "missing", name)))


if __name__ == "__main__":
    unittest.main()
