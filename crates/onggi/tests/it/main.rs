//! The real binary in surroundings of its own: exit status, both streams, and what is in the store afterwards.
//!
//! One file for each topic; a test is named after the rows of the feature map that it holds (`s180_…`). Each command
//! runs in a `testkit::Sandbox`, and when that is dropped, an independent reader recomputes every digest of its store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build_project;

mod archive;
mod attach;
mod bad_network;
mod broken;
mod broken_copy;
mod broken_hints;
mod build_command;
mod build_debug;
mod build_debug_mounts;
mod build_logs;
mod cache;
mod cache_folders;
mod check;
mod checks;
mod classic;
mod commit;
mod completion;
mod containers;
mod context;
mod context_list;
mod context_stream;
mod copy_containers;
mod copy_flags;
mod crash;
mod crowd;
mod disk;
mod events;
mod exec;
mod forge;
mod guide;
mod health;
mod history;
mod hostile_registry;
mod images;
mod images_list;
mod import;
mod information;
mod inspect;
mod instructions;
mod instructions_files;
mod layers;
mod life;
mod limits;
mod limits_of_store;
mod login;
mod logs;
mod mounts;
mod named_contexts;
mod names;
mod network_named;
mod network_ports;
mod noop;
mod outputs;
mod pause;
mod platforms;
mod progress;
mod prune;
mod ps;
mod pull;
mod push;
mod random_operations;
mod remote;
mod remove;
mod reproducible;
mod run;
mod run_caches;
mod run_canaries;
mod run_crash;
mod run_heredocs;
mod run_hostile;
mod run_mounts;
mod run_secrets;
mod run_surroundings;
mod run_terminal;
mod run_traces;
mod security;
mod transfer_crash;
mod volumes;
mod watch;
