//! What a reader process locks itself out of before it sees the first file.
//!
//! A PDF is a program in all but name, and its reader has had years less of attacks than a browser has. So a reader has
//! no secrets in its environment, takes no more memory than it is allowed, and on Linux can make only the system calls
//! that computing and answering need: no opening of files, no sockets, no processes. Everything else answers EPERM.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Closes every descriptor but the standard ones: what this process did not get for its work it must not have,
/// whatever was open where its owner was started. Belongs before anything else that opens one.
///
/// # Errors
/// Where the system has no such call (Linux 5.9 and later, `close_range(2)`).
#[cfg(target_os = "linux")]
pub(super) fn close_inherited() -> std::io::Result<()> {
    let (first, last, flags) = (3, libc::c_uint::MAX, 0);
    #[allow(unsafe_code, reason = "nothing in this process owns a descriptor yet, so none is closed under its owner")]
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if closed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// There is no such call elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn close_inherited() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Confines this process. `memory` is how many bytes it may allocate; the mapped file does not count.
///
/// `closed` says whether [`close_inherited`] did. Returns what could not be done, as a sentence for the log; reading goes
/// on without it.
pub(super) fn confine(memory: u64, closed: bool) -> Option<String> {
    let mut missing = Vec::new();
    if !closed {
        missing.push("closing what its owner's starter had open".to_owned());
    }
    // RLIMIT_DATA counts private writable memory (Linux 4.7 and later, setrlimit(2)); RLIMIT_AS would count the mapped
    // source, too, and so say more of the file than of its reader.
    for (name, resource, most) in
        [("a memory limit", Resource::Data, memory), ("a ban on core dumps", Resource::Core, 0)]
    {
        if setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_err() {
            missing.push(name.to_owned());
        }
    }
    // A reader in an endless loop must not outlive its owner. An owner that died before this line is seen as the
    // other end of the socket, when the reader asks for its first request.
    #[cfg(target_os = "linux")]
    if rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).is_err() {
        missing.push("ending with its owner".to_owned());
    }
    if let Err(error) = allow_only_computing() {
        missing.push(format!("a filter on system calls ({error})"));
    }
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// The system calls of a process that computes, talks over a socket it has, and maps a file it was given.
#[cfg(target_os = "linux")]
const ALLOWED: [libc::c_long; 41] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_ppoll,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrlimit,
];

#[cfg(target_os = "linux")]
fn allow_only_computing() -> Result<(), String> {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter,
    };

    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|number| (*number, Vec::new())).collect();
    // A process ends itself by a signal; no other may get one.
    let own = u64::from(std::process::id());
    let to_itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own)
        .and_then(|condition| SeccompRule::new(vec![condition]));
    rules.insert(libc::SYS_tgkill, vec![to_itself.map_err(|error| error.to_string())?]);
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(|_| "unknown kind of processor".to_owned())?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn allow_only_computing() -> Result<(), String> {
    Err("there is none on this system".to_owned())
}
