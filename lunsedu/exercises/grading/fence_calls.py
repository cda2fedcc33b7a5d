"""System calls that the student's process may not make: Linux's filter (seccomp), by ctypes.

Refused with "not permitted": new processes and programs, signals, a look into other processes, new
connections, other owners, rights and times of files. Threads are allowed: numpy has some.

Sources: `man 2 seccomp`; the kernel's Documentation/userspace-api/seccomp_filter.rst; the numbers
of the calls from arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

import ctypes
import errno
import platform
from typing import Any

PR_SET_SECCOMP, FILTER = 22, 2
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, ABOVE, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
CALL, ARCHITECTURE, FIRST_LOW = 0, 4, 16  # offsets in struct seccomp_data
CLONE_THREAD = 0x10000
X32 = 0x40000000  # calls of another kind on x86-64

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {  # name: (x86_64, aarch64)
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "reboot": (169, 142),
    "memfd_create": (319, 279),  # memory that no limit counts
    "shmget": (29, 194),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "truncate": (76, 45),  # by a path; Landlock learned it late
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setuid": (105, 146),
    "setgid": (106, 144),
}
CLONE, CLONE3, PRLIMIT = (56, 220), (435, 435), (302, 261)


class _Step(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),
        ("otherwise", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step))]


def program(machine: str) -> list[tuple]:
    """Return the filter as (code, jump if true, jump if false, value), or [] for other machines.

    >>> program("x86_64")[0], program("abacus")
    ((32, 0, 0, 4), [])
    """
    if machine not in MACHINES:
        return []
    column = list(MACHINES).index(machine)
    refuse = (RETURN, 0, 0, ERRNO | errno.EPERM)
    steps: list[tuple] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, MACHINES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, CALL),
        (ABOVE, 0, 1, X32),
        refuse,
    ]
    refused = [n[column] for n in NUMBERS.values() if n[column] is not None]
    for number in sorted(refused):  # type: ignore[type-var]
        steps += [(EQUAL, 0, 1, number), refuse]
    # glibc makes threads by clone3 and, where that is unknown, by clone, whose flags can be seen
    steps += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    steps += [
        (EQUAL, 0, 3, CLONE[column]),
        (LOAD, 0, 0, FIRST_LOW),
        (ANY_BIT, 5, 0, CLONE_THREAD),  # to the end
        refuse,
        (EQUAL, 0, 3, PRLIMIT[column]),  # of this process only, which is called 0
        (LOAD, 0, 0, FIRST_LOW),
        (EQUAL, 1, 0, 0),
        refuse,
        (RETURN, 0, 0, ALLOW),
    ]
    return steps


def forbid(libc: Any) -> bool:
    """Set the filter for this process; False where the machine or the kernel does not know it."""
    steps = program(platform.machine())
    if not steps:
        return False
    array = (_Step * len(steps))(*(_Step(*step) for step in steps))
    made = _Program(len(steps), array)
    return libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(made), 0, 0) == 0
