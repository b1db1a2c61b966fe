//! What every executor must do, run over all of them: the built-in one and, where it is installed, runc.
//!
//! The rootfs is a folder with a static busybox; nothing outside it and the host's kernel is needed.
#![expect(clippy::unwrap_used, reason = "tests, whose helpers clippy does not recognise as such")]

mod contract {
    mod confinement;
    mod elsewhere;
    mod environment;
    mod exec;
    mod files;
    pub(super) mod harness;
    mod lifecycle;
    mod parents;
    mod races;
    mod system_calls;
    mod terminal;
    mod views;
}
