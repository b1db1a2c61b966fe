//! A time counts when the image is right: exported, read by the checker, and equal to what the other tools made.

use std::path::Path;

use testkit::checker::{self, CheckedImage, Tree};

use super::tool::Tool;
use crate::{Result, process};

/// Paths that tools leave behind from what they mount into a container. No Dockerfile asked for them.
const MOUNT_POINTS: [&str; 6] = ["dev", "proc", "sys", "run", ".dockerenv", "etc"];
const IN_ETC: [&str; 4] = ["etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab"];

/// Exports an image and recomputes everything in it.
pub(super) fn export(tool: &Tool<'_>, tag: &str, folder: &Path) -> Result<CheckedImage> {
    let file = folder.join(format!("{}.tar", tool.kind.name()));
    if file.exists() {
        std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    tool.save(tag, &file)?;
    read(tool, &file)
}

/// The tree of an image in a registry, brought from there by skopeo.
pub(super) fn fetch(tool: &Tool<'_>, name: &str, folder: &Path) -> Result<Tree> {
    let file = folder.join(format!("{}-pushed.tar", tool.kind.name()));
    let mut copy = std::process::Command::new("skopeo");
    copy.args(["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"]);
    copy.arg(format!("docker://{name}")).arg(format!("docker-archive:{}:{name}", file.display()));
    process::output(&mut copy)?;
    Ok(read(tool, &file)?.tree)
}

/// Reads an archive with one image, and removes it.
pub(super) fn read(tool: &Tool<'_>, file: &Path) -> Result<CheckedImage> {
    let images = checker::check_archive(file).map_err(|problem| format!("{}: {problem}", tool.kind.name()))?;
    std::fs::remove_file(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let image = images.into_iter().next();
    image.ok_or_else(|| format!("{}: the archive has no image", tool.kind.name()))
}

/// Compares two trees, except for what the tools leave behind and did not have to.
pub(super) fn compare(name: &str, tree: &Tree, other_name: &str, other: &Tree) -> Result<()> {
    let different = checker::differences(&relevant(tree), &relevant(other), 3);
    if different.is_empty() {
        return Ok(());
    }
    Err(format!("{name} and {other_name} made different images:\n      {}", different.join("\n      ")))
}

fn relevant(tree: &Tree) -> Tree {
    let is_relevant = |path: &str| {
        let first = path.split('/').next().unwrap_or(path);
        !MOUNT_POINTS.contains(&first) || first == "etc" && path != "etc" && !IN_ETC.contains(&path)
    };
    tree.iter().filter(|(path, _)| is_relevant(path)).map(|(path, node)| (path.clone(), node.clone())).collect()
}
