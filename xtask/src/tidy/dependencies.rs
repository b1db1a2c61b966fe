//! The dependency table of ARCHITECTURE.md equals the manifests, and each outside dependency says why it is there.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;

type Table = BTreeMap<String, BTreeSet<String>>;

/// Crates that may use anything and that nothing shipped may use.
const TOOLS: [&str; 2] = ["testkit", "xtask"];

/// All complaints about dependencies.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(document), Some(manifest)) = (find("ARCHITECTURE.md"), find("Cargo.toml")) else {
        return vec!["ARCHITECTURE.md or Cargo.toml is missing".to_owned()];
    };
    let table = table(&document.text);
    let crates: Vec<(&str, &str)> = files.iter().filter_map(crate_manifest).collect();
    let names: BTreeSet<&str> = crates.iter().map(|&(name, _)| name).collect();
    let mut complaints = reasons(&manifest.text);
    for &(name, text) in crates.iter().filter(|(name, _)| !TOOLS.contains(name)) {
        complaints.extend(compare(name, text, &table, &names));
    }
    for name in table.keys().filter(|name| !names.contains(name.as_str())) {
        complaints.push(format!("ARCHITECTURE.md: the table has `{name}`, which is no crate"));
    }
    complaints
}

/// The name of a crate, which is its folder's, and the text of its manifest.
fn crate_manifest(file: &SourceFile) -> Option<(&str, &str)> {
    let folder = file.path.strip_suffix("/Cargo.toml")?;
    Some((folder.strip_prefix("crates/")?, &file.text))
}

fn compare(name: &str, manifest: &str, table: &Table, names: &BTreeSet<&str>) -> Vec<String> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some(allowed) = table.get(name) else {
        return vec![format!("{path}: `{name}` is not in the table of ARCHITECTURE.md")];
    };
    let ours = |section: &str| -> BTreeSet<String> {
        section_names(manifest, section).filter(|name| names.contains(name.as_str())).collect()
    };
    let used = ours("[dependencies]");
    let mut complaints = Vec::new();
    for extra in used.difference(allowed) {
        complaints.push(format!("{path}: `{name}` uses `{extra}`, which the table of ARCHITECTURE.md does not allow"));
    }
    for unused in allowed.difference(&used) {
        complaints.push(format!("ARCHITECTURE.md: `{name}` does not use `{unused}`, although the table says so"));
    }
    for extra in ours("[dev-dependencies]") {
        if !TOOLS.contains(&extra.as_str()) && !allowed.contains(&extra) {
            complaints.push(format!("{path}: the tests of `{name}` use `{extra}`, which the table does not allow"));
        }
    }
    complaints
}

/// The names at the beginning of the lines of one section.
fn section_names<'a>(manifest: &'a str, section: &'a str) -> impl Iterator<Item = String> + 'a {
    section_lines(manifest, section).filter_map(|line| {
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))?;
        (end > 0).then(|| line[..end].to_owned())
    })
}

fn section_lines<'a>(manifest: &'a str, section: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    let mut inside = false;
    manifest.lines().filter(move |line| {
        if line.starts_with('[') {
            inside = line.trim() == section;
            return false;
        }
        inside
    })
}

/// Rows such as ``| `layer` | `oci` | know the store |`` below the heading "Code map".
fn table(document: &str) -> Table {
    let rows = document.lines().skip_while(|line| !line.contains("Code map")).skip(1);
    let rows = rows.take_while(|line| !line.starts_with('#')).filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let (name, rest) = row.split_once('`')?;
        let uses = rest.split('|').nth(1)?;
        let uses = uses.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (!TOOLS.contains(&name)).then(|| (name.to_owned(), uses))
    })
    .collect()
}

/// A dependency from outside has its reason in a comment on its line.
fn reasons(manifest: &str) -> Vec<String> {
    section_lines(manifest, "[workspace.dependencies]")
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.contains("path = \"crates/"))
        .filter(|line| line.split_once(" # ").is_none_or(|(_, reason)| reason.trim().is_empty()))
        .map(|line| format!("Cargo.toml: no reason is given for `{line}`"))
        .collect()
}
