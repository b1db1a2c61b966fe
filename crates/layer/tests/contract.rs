//! What both backends promise, checked through the kernel: one suite over EROFS mounts and extracted folders.
//!
//! Each test builds a stack, looks at it through overlayfs and compares with what [`layer::Tree`] says; those that
//! write also turn the upper folder into a layer and compare again. All need root, for mounts.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test code throughout")]

#[path = "contract/changes.rs"]
mod changes;
#[path = "contract/copied.rs"]
mod copied;
#[path = "contract/hostile.rs"]
mod hostile;
#[path = "contract/random.rs"]
mod random;
#[path = "contract/raw_tar.rs"]
mod raw_tar;
#[path = "contract/shapes.rs"]
mod shapes;
#[path = "contract/stack.rs"]
mod stack;
#[path = "contract/user_namespace.rs"]
mod user_namespace;
#[path = "contract/view.rs"]
mod view;
