//! Filters system calls: what programs have no business with fails, and nothing is ever killed for asking.
//!
//! A list of what is denied, not of what is allowed: a program that needs a call which nobody thought of works, and
//! namespaces or Landlock keep it from what matters. The filter is classic BPF, whose jumps count from the next
//! instruction.

use std::io;

use libc::{EPERM, c_long, sock_filter};

use crate::error::During;
use crate::{Failure, Step, Tier};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// The numbers of the x32 ABI, which has doors of its own to calls that are denied.
const X32: u32 = 0x4000_0000;
/// All `CLONE_NEW*` flags that `clone` takes.
const NEW_NAMESPACES: u32 = 0x7E02_0000;

/// What would administrate the machine, reach into other processes, or open parts of the kernel that tools don't need.
const DENIED: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by handle, and watching all of a file system.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // Wide doors into the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_lookup_dcookie,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_nfsservctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    // Message queues have no file to be restricted by.
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgget,
];

/// What programs take for missing, and do otherwise. Memory in segments and nameless files is nobody's, and so would
/// escape the count of what a tree uses.
const MISSING: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Its flags lie in memory, where a filter cannot look: the C library falls back to `clone`.
    libc::SYS_clone3,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_semget,
];

/// Calls that name another process, where a process namespace does not hide the others: the argument is 0 for oneself.
const ON_OTHERS: &[(c_long, u32)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// Which sockets a program may make. Pairs of unix sockets, which lead nowhere else, it always may.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sockets {
    /// None.
    None,
    /// Unix sockets, for programs that see no others' ones.
    Unix,
    /// Unix sockets and those of TCP, for programs whose network is empty but for the way to a proxy.
    Tcp,
}

/// Puts the filter into force, for good. Needs `no_new_privs`.
pub(super) fn enforce(tier: Tier, sockets: Sockets) -> Result<(), Failure> {
    let filter = filter(tier, sockets);
    let program = libc::sock_fprog {
        len: filter.len().try_into().expect("the filter has some hundred instructions"),
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: pointer and length are those of `filter`, which outlives the call; the kernel copies it.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    let done = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    done.during(
        Step::Seccomp,
        "putting the filter into force, for which the kernel needs CONFIG_SECCOMP_FILTER",
    )
}

/// The filter as the kernel reads it, for another process that puts it into force for itself.
pub(super) fn bytes(tier: Tier, sockets: Sockets) -> Vec<u8> {
    let instruction = |one: &sock_filter| {
        let [code_low, code_high] = one.code.to_ne_bytes();
        let [k0, k1, k2, k3] = one.k.to_ne_bytes();
        [code_low, code_high, one.jt, one.jf, k0, k1, k2, k3]
    };
    filter(tier, sockets).iter().flat_map(instruction).collect()
}

fn filter(tier: Tier, sockets: Sockets) -> Vec<sock_filter> {
    let mut filter = Filter(Vec::new());
    filter.load(4);
    filter.unless_equal_skip(ARCHITECTURE, 1);
    filter.jump(1);
    filter.fail(EPERM);
    filter.load(0);
    if cfg!(target_arch = "x86_64") {
        filter.push(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32, 0, 1);
        filter.fail(libc::ENOSYS);
    }
    for call in DENIED {
        filter.deny(*call, EPERM);
    }
    for call in MISSING {
        filter.deny(*call, libc::ENOSYS);
    }
    match sockets {
        Sockets::None => filter.only(libc::SYS_socket, 0, &[]),
        Sockets::Unix => filter.only(libc::SYS_socket, 0, &[libc::AF_UNIX as u32]),
        Sockets::Tcp => filter.only_tcp(),
    }
    filter.only(libc::SYS_socketpair, 0, &[libc::AF_UNIX as u32]);
    filter.only(libc::SYS_personality, 0, &[0, u32::MAX]);
    filter.except(libc::SYS_ioctl, 1, &[libc::TIOCSTI as u32, libc::TIOCLINUX as u32]);
    filter.without_bits(libc::SYS_clone, 0, NEW_NAMESPACES);
    if tier == Tier::Confined {
        for (call, argument) in ON_OTHERS {
            filter.only(*call, *argument, &[0]);
        }
        filter.deny(libc::SYS_pidfd_open, EPERM);
    }
    filter.allow();
    filter.0
}

/// A filter that is being written. The accumulator holds the number of the call between two rules.
struct Filter(Vec<sock_filter>);

impl Filter {
    fn push(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        let code = code.try_into().expect("all codes of instructions are small");
        self.0.push(sock_filter { code, jt, jf, k });
    }

    /// Loads a word of `struct seccomp_data`: 0 is the call, 4 the architecture.
    fn load(&mut self, offset: u32) {
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    }

    /// The lower half of an argument: of numbers of 32 bits, the kernel looks at no more.
    fn load_argument(&mut self, index: u32) {
        self.load(16 + 8 * index + if cfg!(target_endian = "big") { 4 } else { 0 });
    }

    fn unless_equal_skip(&mut self, value: u32, skip: u8) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skip);
    }

    fn jump_if_equal(&mut self, value: u32, skip: u8) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, skip, 0);
    }

    fn jump(&mut self, skip: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JA, skip, 0, 0);
    }

    fn fail(&mut self, errno: i32) {
        self.push(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0);
    }

    fn allow(&mut self) {
        self.push(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0);
    }

    fn deny(&mut self, call: c_long, errno: i32) {
        self.unless_equal_skip(number(call), 1);
        self.fail(errno);
    }

    /// Allows the call if the argument is one of `values`.
    fn only(&mut self, call: c_long, argument: u32, values: &[u32]) {
        self.argument_rule(call, argument, values, true);
    }

    /// Allows sockets of the unix family, and of the internet families those that are streams of TCP: not even UDP, and no
    /// other protocol that would be a stream too, because Landlock's rules know TCP only.
    fn only_tcp(&mut self) {
        let family = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(|family| family as u32);
        let flags = (libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as u32;
        self.unless_equal_skip(number(libc::SYS_socket), 15);
        self.load_argument(0);
        self.unless_equal_skip(family[0], 1);
        self.allow();
        self.jump_if_equal(family[1], 2);
        self.jump_if_equal(family[2], 1);
        self.fail(EPERM);
        self.load_argument(1);
        self.push(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, !flags, 0, 0);
        self.jump_if_equal(libc::SOCK_STREAM as u32, 1);
        self.fail(EPERM);
        self.load_argument(2);
        self.jump_if_equal(0, 1);
        self.unless_equal_skip(libc::IPPROTO_TCP as u32, 1);
        self.allow();
        self.fail(EPERM);
    }

    /// Allows the call unless the argument is one of `values`.
    fn except(&mut self, call: c_long, argument: u32, values: &[u32]) {
        self.argument_rule(call, argument, values, false);
    }

    fn argument_rule(&mut self, call: c_long, argument: u32, values: &[u32], allowed: bool) {
        let count = u8::try_from(values.len()).expect("rules name a few values");
        self.unless_equal_skip(number(call), 2 * count + 2);
        self.load_argument(argument);
        for value in values {
            self.unless_equal_skip(*value, 1);
            self.decide(allowed);
        }
        self.decide(!allowed);
    }

    /// Allows the call if the argument has none of `bits`.
    fn without_bits(&mut self, call: c_long, argument: u32, bits: u32) {
        self.unless_equal_skip(number(call), 4);
        self.load_argument(argument);
        self.push(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, 0, 1);
        self.decide(false);
        self.decide(true);
    }

    fn decide(&mut self, allowed: bool) {
        if allowed { self.allow() } else { self.fail(EPERM) }
    }
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).expect("numbers of calls are small")
}
