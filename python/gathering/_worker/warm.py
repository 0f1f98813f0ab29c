"""The warm parent: has everything imported that workers need, and forks a worker for each message that comes.

It runs nothing of a plugin's. A child joins the namespaces that it is handed, puts the rest of its confinement into
force, and only then becomes a worker. The messages are those of `gathering-sandbox`: four bytes of length, least
significant first, and JSON; descriptors come with the four bytes.
"""

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys

_MAX_DESCRIPTORS = 16
_MAX_MESSAGE = 1 << 20

# prctl(2)
_SET_DUMPABLE, _CAPBSET_DROP, _SET_NO_NEW_PRIVS, _CAP_AMBIENT = 4, 24, 38, 47
_CAP_AMBIENT_CLEAR_ALL = 4
# seccomp(2)
_SET_MODE_FILTER = 1
# capget(2), version 3: two sets of three words
_CAPABILITY_VERSION = 0x20080522


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def main(become_worker):
    """Forks until the server goes away; each child calls `become_worker` when it is confined."""
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # No process of the same user is to look into this one, or to find children of it that are on their way.
    _call("prctl", _SET_DUMPABLE, 0, 0, 0, 0)
    del sys.argv[1:]
    _import_what_workers_need()
    # Children that have handed on are nobody's business.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    # What is there now stays: a collection in a child would copy all the pages that it lies on.
    gc.freeze()
    _send(control, "Warm")
    while True:
        message = _receive(control)
        if message is None:
            return
        place = message[1][0]
        if os.fork() == 0:
            control.close()
            _be_born(socket.socket(fileno=place))
            become_worker()
            os._exit(0)
        os.close(place)


def _import_what_workers_need():
    # ruff: noqa: E401, F401
    import ast, contextlib, dataclasses, datetime, faulthandler, fcntl, functools, inspect, linecache, re, select
    import tempfile, tokenize, traceback, types, typing

    # Not `gathering.core`, whose global registries are those of each worker.
    import gathering._collect, gathering.plugins
    from gathering._worker import authoring, context, docstrings, evaluate, examples, inference, loading, server


def _be_born(place):
    """Joins the confinement that comes over `place`; ends this process if that fails."""
    try:
        # The server may have given up meanwhile.
        message = _receive(place)
        if message is None:
            os._exit(1)
        birth, descriptors = message
        _join(descriptors[: birth["namespaces"]])
        streams = descriptors[birth["namespaces"] : birth["namespaces"] + 3]
        rules = descriptors[-1] if birth["has_rules"] else None
        _confine(birth, streams, rules, place)
        _send(place, {"Ready": os.getpid()})
    except BaseException as error:
        try:
            _send(place, {"Failed": f"a new worker could not be confined: {type(error).__name__}: {error}"})
        finally:
            os._exit(1)
    place.close()


def _join(namespaces):
    for namespace in namespaces:
        _call("setns", namespace, 0)
        os.close(namespace)
    # The process namespace is that of the next child.
    child = os.fork()
    if child:
        _wait(child)
        os._exit(0)
    # Its own child becomes that of the namespace's first process, which waits for it, when this one has ended.
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    try:
        parent_ends = os.pidfd_open(parent)
    except ProcessLookupError:
        return
    ends = select.poll()
    ends.register(parent_ends, select.POLLIN)
    ends.poll()
    os.close(parent_ends)


def _wait(child):
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        # Children are not to be waited for here; it is gone.
        pass


def _confine(birth, streams, rules, place):
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_all_but(rules, place)
    for number, soft, hard in birth["limits"]:
        resource.setrlimit(number, (_limit(soft), _limit(hard)))
    os.environ.clear()
    os.environ.update(birth["env"])
    _give_up_privileges()
    _call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir(birth["cwd"])
    if rules is not None:
        _call("syscall", ctypes.c_long(birth["restrict_self"]), rules, 0)
        os.close(rules)
    instructions = bytes.fromhex(birth["filter"])
    filter = _Filter(len(instructions) // 8, instructions)
    _call("syscall", ctypes.c_long(birth["seccomp"]), _SET_MODE_FILTER, 0, ctypes.byref(filter))
    # What it was closed to others for is over: it has become the plugin's.
    _call("prctl", _SET_DUMPABLE, 1, 0, 0, 0)


def _close_all_but(rules, place):
    first = 3
    for kept in sorted(descriptor for descriptor in (rules, place.fileno()) if descriptor is not None):
        os.closerange(first, kept)
        first = kept + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _limit(number):
    return resource.RLIM_INFINITY if number >= 1 << 63 else number


def _give_up_privileges():
    for capability in range(64):
        if _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            # The kernel has no capability of this number. If it was something else, the launcher finds out.
            break
    _call("prctl", _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = _Header(_CAPABILITY_VERSION, 0)
    _call("capset", ctypes.byref(header), (ctypes.c_uint32 * 6)())


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _send(to, message):
    body = json.dumps(message).encode()
    to.sendall(struct.pack("<I", len(body)) + body)


def _receive(place):
    """A message and its descriptors; None at the end."""
    head, descriptors, _flags, _address = socket.recv_fds(place, 4, _MAX_DESCRIPTORS)
    if not head:
        return None
    while len(head) < 4:
        head += _read(place, 4 - len(head))
    (length,) = struct.unpack("<I", head)
    if length > _MAX_MESSAGE:
        raise ValueError(f"a message of {length} bytes is none of the launcher's")
    return json.loads(_read(place, length)), descriptors


def _read(place, length):
    body = b""
    while len(body) < length:
        part = place.recv(length - len(body))
        if not part:
            raise EOFError("the message ended early")
        body += part
    return body
