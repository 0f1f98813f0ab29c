"""A kernel that lacks something, played by a filter of system calls (seccomp) around a server."""

import ctypes
import errno
import platform
import struct

from attacks.cases import NotRun

#: The numbers of the calls on x86_64.
UNSHARE, MOUNT, CLONE, LANDLOCK_CREATE_RULESET = 272, 165, 56, 444
CLONE_NEWUSER = 0x10000000
ALLOW, FAIL = 0x7FFF0000, 0x00050000


def without(*refusals):
    """A function to be called before exec: from there on each call `(number, error)` fails with that error. The third member
    of a refusal, if there is one, is a bit that the first argument must have.
    """
    if platform.machine() != "x86_64":
        raise NotRun("the numbers of system calls are those of x86_64")
    program = [(0x20, 0, 0, 0)]  # load the number
    for number, error, *bit in refusals:
        if bit:
            program += [
                (0x15, 0, 4, number), (0x20, 0, 0, 16), (0x45, 0, 1, bit[0]),
                (0x06, 0, 0, FAIL | error), (0x20, 0, 0, 0),
            ]
        else:
            program += [(0x15, 0, 1, number), (0x06, 0, 0, FAIL | error)]
    program.append((0x06, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer)))

    def install():
        # PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP with a filter.
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, head, 0, 0):
            raise OSError(ctypes.get_errno(), "the filter cannot be installed")
        buffer.raw  # keeps it alive

    return install


NO_NAMESPACES = ((UNSHARE, errno.EPERM, CLONE_NEWUSER), (CLONE, errno.EPERM, CLONE_NEWUSER))
NO_LANDLOCK = ((LANDLOCK_CREATE_RULESET, errno.ENOSYS),)
