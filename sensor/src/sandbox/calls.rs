//! Seccomp: which system calls are refused. What is listed is what no command needs once it runs; a list of what is allowed would
//! break with the next version of a library.

use super::Reach;
use libc::{AF_INET, AF_INET6, AF_PACKET, CLONE_THREAD, ENOSYS, EPERM};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

/// Calls that are refused, by what they are for.
const REFUSED: &[&[libc::c_long]] = &[
    // Other programs, and other processes' memory.
    &[libc::SYS_execve, libc::SYS_execveat],
    &[libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp],
    &[libc::SYS_pidfd_getfd, libc::SYS_process_madvise],
    // File systems, and other views of them.
    &[libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_unshare],
    &[libc::SYS_setns, libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_mount_setattr],
    &[libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick],
    &[libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_quotactl, libc::SYS_acct],
    // Files past their folders, and devices.
    &[libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at, libc::SYS_mknodat],
    // The kernel.
    &[libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module],
    &[libc::SYS_kexec_load, libc::SYS_kexec_file_load, libc::SYS_reboot, libc::SYS_syslog],
    &[libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_fanotify_init],
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register],
    &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl, libc::SYS_personality],
    // The machine's clock and names.
    &[libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex],
    &[libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_vhangup],
    // Another user.
    &[libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setgroups],
    &[libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setfsuid, libc::SYS_setfsgid],
];

/// The same that one processor alone has.
#[cfg(target_arch = "x86_64")]
const OWN: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_mknod,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const OWN: &[libc::c_long] = &[];

/// The same calls by the numbers of the x32 interface: with this bit, and some with numbers of their own (execve, ptrace,
/// process_vm_readv and process_vm_writev, kexec_load, execveat).
#[cfg(target_arch = "x86_64")]
const X32: (i64, &[i64]) = (0x4000_0000, &[520, 521, 528, 539, 540, 545]);

/// Confines all threads of the process.
pub(super) fn confine(reach: &Reach) -> Result<(), String> {
    let processor = std::env::consts::ARCH.try_into().map_err(|_| "not on this processor".to_owned())?;
    programs(reach, processor)
        .and_then(|programs| programs.iter().try_for_each(|program| apply_filter_all_threads(program)))
        .map_err(|error| error.to_string())
}

/// Two, because one gives one answer: what is refused, and what has an older form that can be looked into.
fn programs(reach: &Reach, processor: TargetArch) -> Result<[BpfProgram; 2], Error> {
    let filter = |rules, errno: libc::c_int| -> Result<BpfProgram, Error> {
        let answer = SeccompAction::Errno(errno.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, processor)?;
        Ok(BpfProgram::try_from(filter)?)
    };
    let looked_into = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok([filter(refused(reach)?, EPERM)?, filter(looked_into, ENOSYS)?])
}

fn refused(reach: &Reach) -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().copied().flatten().chain(OWN).map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    {
        let numbers: Vec<i64> = rules.keys().chain(X32.1).map(|number| number | X32.0).collect();
        rules.extend(numbers.into_iter().map(|number| (number, Vec::new())));
    }
    // Threads, and no processes.
    let thread = SeccompCmpOp::MaskedEq(u64::from(CLONE_THREAD.unsigned_abs()));
    rules.insert(libc::SYS_clone, vec![first_argument(thread, 0)?]);
    // Interfaces are open, and without receivers there is nobody to speak with.
    let packets = [AF_PACKET].into_iter();
    let families = packets.chain([AF_INET, AF_INET6].into_iter().filter(|_| !reach.has_network()));
    let sockets = families.map(|family| first_argument(SeccompCmpOp::Eq, u64::from(family.unsigned_abs())));
    rules.insert(libc::SYS_socket, sockets.collect::<Result<_, _>>()?);
    Ok(rules)
}

fn first_argument(compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, Error> {
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, compare, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}
