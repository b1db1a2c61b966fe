//! `system reset`.

use engine::ResetStore;

use super::confirm::confirm;
use crate::cli::disk::ResetArgs;
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::Session;

pub(super) fn run(args: &ResetArgs, session: &Session) -> Result<u8, Failure> {
    let root = session.root();
    if !engine::is_store(root) {
        let problem = Problem::error(format!("there is no store in {}", root.display()));
        return Err(Failure::new(problem.with_hint("`--root DIR` names the folder of another store")));
    }
    let engine = session.engine()?;
    let found = engine::store_contents(&engine)?;
    let question = format!(
        "WARNING! This will remove the store {} and all that is in it:\n{}",
        root.display(),
        list(&found, "  - ")
    );
    if !args.force && !confirm(session, &question)? {
        return Ok(0);
    }
    let gone = engine::reset(engine)?;
    session.print(&format!("Removed {}:\n{}", root.display(), list(&gone, "")))?;
    if !gone.left.is_empty() {
        session.note(&format!("warning: the folder stays, for what else is in it: {}", gone.left.join(", ")));
    }
    Ok(0)
}

fn list(store: &ResetStore, start: &str) -> String {
    let count = |count: usize, one: &str| format!("{start}{count} {one}{}\n", if count == 1 { "" } else { "s" });
    [
        count(store.containers, "container"),
        count(store.images, "image"),
        count(store.volumes, "volume"),
        count(store.networks, "network"),
        format!("{start}the build cache\n"),
    ]
    .concat()
}
