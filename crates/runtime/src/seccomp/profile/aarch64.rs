//! The table of Docker's profile on arm64, where 32-bit ARM programs are allowed.

use super::Table;
pub(super) use syscalls::aarch64::Sysno as Native;
pub(super) use syscalls::arm::Sysno as Compat;

/// `AUDIT_ARCH_AARCH64` and `AUDIT_ARCH_ARM`.
pub(in crate::seccomp) const NATIVE_ARCH: u32 = 0xc000_00b7;
pub(in crate::seccomp) const COMPAT_ARCH: u32 = 0x4000_0028;
/// This architecture has no third interface.
pub(in crate::seccomp) const X32_FIRST: Option<u32> = None;
/// What an OCI configuration calls the architectures.
pub(crate) const OCI_ARCHITECTURES: [&str; 2] = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];

table! {
    /// Allowed to every container, whatever the arguments.
    ALWAYS
    both {
        accept accept4 adjtimex bind brk cachestat capget capset chdir clock_adjtime clock_adjtime64 clock_getres
        clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range
        connect copy_file_range dup dup3 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2 execve execveat
        exit exit_group faccessat faccessat2 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat
        fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex
        futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list getcpu getcwd getdents64 getegid
        geteuid getgid getgroups getitimer getpeername getpgid getpid getppid getpriority getrandom getresgid
        getresuid getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat
        inotify_add_watch inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
        io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule
        landlock_create_ruleset landlock_restrict_self lgetxattr linkat listen listmount listxattr listxattrat
        llistxattr lremovexattr lseek lsetxattr madvise map_shadow_stack membarrier memfd_create mincore mkdirat
        mknodat mlock mlock2 mlockall mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
        mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall
        munmap name_to_handle_at nanosleep openat openat2 pidfd_open pidfd_send_signal pipe2 pkey_alloc pkey_free
        pkey_mprotect ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv
        process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlinkat readv
        recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat renameat renameat2
        restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
        sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
        sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
        seccomp semctl semget semop semtimedop semtimedop_time64 sendfile sendmmsg sendmsg sendto set_robust_list
        set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid
        setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack
        signalfd4 socketpair splice statfs statmount statx symlinkat sync syncfs sysinfo tee tgkill timer_create
        timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate umask uname unlinkat
        utimensat utimensat_time64 vmsplice wait4 waitid write writev
    }
    native {
        fstatat fadvise64 getrlimit memfd_secret mmap sync_file_range
    }
    compat {
        _llseek _newselect access arm_fadvise64_64 arm_sync_file_range chmod chown chown32 creat dup2 epoll_create
        epoll_wait eventfd fchown32 fcntl64 fork fstat64 fstatat64 fstatfs64 ftruncate64 futimesat getdents getegid32
        geteuid32 getgid32 getgroups32 getpgrp getresgid32 getresuid32 getuid32 inotify_init lchown lchown32 link
        lstat lstat64 mkdir mknod mmap2 open pause pipe poll readlink recv rename rmdir send sendfile64 setfsgid32
        setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 signalfd sigprocmask
        sigreturn stat stat64 statfs64 symlink truncate64 ugetrlimit unlink utimes vfork
    }
}

table! {
    /// Only with `CAP_SYS_RAWIO`: nothing here.
    RAW_IO
    both {}
    native {}
    compat {}
}

table! {
    /// Additions of the old 32-bit interface to what `CAP_SYS_ADMIN` allows.
    ADMIN_COMPAT
    both {}
    native {}
    compat {}
}

table! {
    /// Additions of the 32-bit interface to what `CAP_SYS_TIME` allows.
    TIME_COMPAT
    both {}
    native {}
    compat { clock_settime64 }
}
