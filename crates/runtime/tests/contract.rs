//! What every executor must do, run over all of them: the built-in one and, where it is installed, runc.
//!
//! The rootfs is a folder with a static busybox; nothing outside it and the host's kernel is needed.

mod contract {
    mod confinement;
    mod environment;
    mod files;
    pub(super) mod harness;
    mod lifecycle;
    mod terminal;
}
