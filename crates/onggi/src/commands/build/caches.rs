//! Understands `--cache-from` and `--cache-to`: folders that results of steps come from and go to.

use std::path::{Path, PathBuf};

use engine::{CacheExport, CacheImport, CacheMode, DEFAULT_CACHE_TAG, MediaTypes};

use super::outputs::compression;
use crate::cli::build_cache::CacheArgs;
use crate::cli::options::Options;
use crate::failure::Failure;
use crate::render::problem::Problem;

const FROM: &str = "--cache-from";
const TO: &str = "--cache-to";
const LOCAL: &str = "type=local";

/// Kinds that Docker has and that are not there yet, with what they ask for.
const ELSEWHERE: [(&str, &str); 6] = [
    ("registry", "a cache in a registry"),
    ("inline", "a cache inside of the image"),
    ("gha", "the cache service of GitHub Actions"),
    ("s3", "a cache in a bucket of S3"),
    ("azblob", "a cache in Azure's blob storage"),
    ("gcs", "a cache in a bucket of Google's"),
];

/// Both lists, in order.
pub(super) fn caches(args: &CacheArgs) -> Result<(Vec<CacheImport>, Vec<CacheExport>), Failure> {
    let from = args.cache_from.iter().map(|typed| import(typed)).collect::<Result<_, _>>()?;
    let to = args.cache_to.iter().map(|typed| export(typed)).collect::<Result<_, _>>()?;
    Ok((from, to))
}

fn import(typed: &str) -> Result<CacheImport, Failure> {
    let mut options = local(FROM, typed, "src")?;
    let folder = folder(&mut options, "src", "to read")?;
    let tag = tag(&mut options)?;
    let digest = match options.take("digest") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            options.problem("has a digest that is none", "write it as in `index.json`: `digest=sha256:…`, 64 digits")
        })?),
    };
    options.finish(LOCAL, &["src", "tag", "digest"])?;
    Ok(CacheImport { folder, tag, digest })
}

fn export(typed: &str) -> Result<CacheExport, Failure> {
    const KNOWN: [&str; 9] = [
        "dest",
        "tag",
        "mode",
        "compression",
        "compression-level",
        "force-compression",
        "oci-mediatypes",
        "ignore-error",
        "reset",
    ];
    let mut options = local(TO, typed, "dest")?;
    let folder = folder(&mut options, "dest", "to write to")?;
    let tag = tag(&mut options)?;
    let mode = match options.take("mode").map(|mode| mode.to_ascii_lowercase()).as_deref() {
        None | Some("min") => CacheMode::Min,
        Some("max") => CacheMode::Max,
        Some(other) => return Err(options.wrong("mode", other, &["min", "max"])),
    };
    let forces_compression = options.take_switch("force-compression")?.unwrap_or(false);
    let (encoding, is_oci) = compression(&mut options)?;
    if options.take_switch("image-manifest")? == Some(false) {
        let hint = "leave out `image-manifest=false`: the cache is always listed as an image's manifest";
        return Err(options.problem("asks for an index in the place of a manifest, which is not there", hint));
    }
    let ignores_errors = options.take_switch("ignore-error")?.unwrap_or(false);
    let resets = options.take_switch("reset")?.unwrap_or(false);
    options.finish(LOCAL, &KNOWN)?;
    let media_types = if is_oci.unwrap_or(true) { MediaTypes::Oci } else { MediaTypes::Docker };
    Ok(CacheExport { folder, tag, mode, encoding, forces_compression, media_types, ignores_errors, resets })
}

/// The options of a folder; every other kind is refused by name.
fn local(flag: &'static str, typed: &str, folder: &str) -> Result<Options, Failure> {
    // A value without `=` is the name of an image in a registry.
    if !typed.contains('=') {
        let problem =
            Problem::error(format!("`{flag} {typed}` asks for a cache in a registry, which is not there yet"));
        return Err(Failure::new(match Path::new(typed).is_dir() {
            true => problem.with_hint(format!("for a folder write `{flag} {LOCAL},{folder}={typed}`")),
            false => problem.with_hint(format!("use a folder: `{flag} {LOCAL},{folder}=DIR`")),
        }));
    }
    let mut options = Options::parse(flag, typed)?;
    let Some(kind) = options.take("type") else {
        return Err(options.problem("has no type", format!("begin with one, as in `{LOCAL},{folder}=DIR`")));
    };
    if kind == "local" {
        return Ok(options);
    }
    match ELSEWHERE.iter().find(|(name, _)| *name == kind) {
        Some((_, what)) => Err(options.problem(
            &format!("asks for {what}, which is not there yet"),
            format!("use a folder, and keep it from one machine to the next: `{flag} {LOCAL},{folder}=DIR`"),
        )),
        None => Err(options.wrong("type", &kind, &["local"])),
    }
}

fn folder(options: &mut Options, name: &str, what: &str) -> Result<PathBuf, Failure> {
    match options.take(name).filter(|path| !path.is_empty()) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(options.problem(&format!("has no folder {what}"), format!("name one: `{LOCAL},{name}=DIR`"))),
    }
}

fn tag(options: &mut Options) -> Result<String, Failure> {
    let tag = options.take("tag").unwrap_or_else(|| DEFAULT_CACHE_TAG.to_owned());
    if tag.is_empty() || tag.chars().any(char::is_control) {
        return Err(
            options.problem("has a tag that is none", format!("name one, or leave it out: `tag={DEFAULT_CACHE_TAG}`"))
        );
    }
    Ok(tag)
}

#[cfg(test)]
mod tests;
