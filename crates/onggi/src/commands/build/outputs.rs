//! `--output`, `--load`, `--push` and `--annotation`: what becomes of the result, as the engine takes it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{
    Annotations, ArchiveDestination, ArchiveOutput, Destination, Encoding, FolderOutput, ImageOutput, MediaTypes,
    Output, TarOutput,
};
use oci::Reference;

use super::annotations;
use crate::cli::build_output::OutputArgs;
use crate::cli::options::Options;
use crate::failure::Failure;
use crate::render::problem::Problem;

const FLAG: &str = "--output";
const TYPES: [&str; 7] = ["image", "docker", "oci", "local", "tar", "registry", "cacheonly"];
/// Word for standard output.
const STDOUT: &str = "-";

const NAMES: [&str; 2] = ["name", "annotation.KEY"];
const COMPRESSION: [&str; 4] = ["compression", "compression-level", "force-compression", "oci-mediatypes"];
const IMAGE: [&str; 7] =
    ["push", "dangling-name-prefix", "name-canonical", "unpack", "store", "push-by-digest", "registry.insecure"];
const TIMES: &str = "rewrite-timestamp";

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) outputs: Vec<Output>,
    /// `rewrite-timestamp`, where it was given.
    pub(super) rewrites_times: Option<bool>,
    /// Something goes to standard output.
    pub(super) uses_stdout: bool,
}

/// Where results may go that are not files of this folder.
pub(super) struct Surroundings<'a> {
    /// Standard output, unless it is a terminal.
    pub(super) stdout: &'a dyn Fn() -> Result<Option<File>, Failure>,
    /// The working folder.
    pub(super) folder: &'a Path,
    /// `--allow`.
    pub(super) allowed: &'a [String],
}

/// Understands all flags that say what becomes of the result.
pub(super) fn outputs(args: &OutputArgs, surroundings: &Surroundings<'_>) -> Result<Outputs, Failure> {
    if args.push {
        return Err(no_push());
    }
    let annotations = annotations::of_flags(&args.annotations)?;
    let mut parser = Parser { surroundings, annotations, found: Outputs::default() };
    for typed in &args.outputs {
        let output = parser.output(typed)?;
        parser.found.outputs.push(output);
    }
    let is_stored = |output: &Output| matches!(output, Output::Image(_));
    if args.load && !parser.found.outputs.iter().any(is_stored) {
        parser.found.outputs.push(Output::Image(ImageOutput::default()));
    }
    Ok(parser.found)
}

fn no_push() -> Failure {
    let problem = Problem::error("a build that pushes its result is not there yet");
    Failure::new(problem.with_hint(
        "build with `-t REGISTRY/NAME`, then `onggi push REGISTRY/NAME`; several platforms go by way of an archive: \
         `-o type=oci,dest=image.tar`, `skopeo copy --all oci-archive:image.tar docker://REGISTRY/NAME`",
    ))
}

struct Parser<'a> {
    surroundings: &'a Surroundings<'a>,
    /// Of the flags; each output adds its own.
    annotations: Annotations,
    found: Outputs,
}

impl Parser<'_> {
    fn output(&mut self, typed: &str) -> Result<Output, Failure> {
        // `-o DIR` and `-o -`.
        if !typed.contains('=') && !typed.contains(',') {
            return match typed {
                "" => {
                    Err(Failure::new(Problem::error("`--output` needs a value").with_hint("name a folder: `-o out`")))
                }
                STDOUT => Ok(Output::Tar(TarOutput { destination: self.stdout(typed)?, splits_platforms: true })),
                folder => Ok(Output::Folder(FolderOutput {
                    path: PathBuf::from(folder),
                    removes_others: false,
                    splits_platforms: true,
                })),
            };
        }
        let mut options = Options::parse(FLAG, typed)?;
        let Some(kind) = options.take("type") else {
            return Err(options.problem("has no type", format!("begin with one, as in `type=local,{typed}`")));
        };
        if let Some(rewrites) = options.take_switch(TIMES)? {
            if self.found.rewrites_times.is_some_and(|other| other != rewrites) {
                let hint = "times are those of the whole build: give the same value in every output";
                return Err(options.problem("contradicts another output", hint));
            }
            self.found.rewrites_times = Some(rewrites);
        }
        match kind.as_str() {
            "registry" => Err(no_push()),
            "image" => image(options),
            "docker" => self.docker(options),
            "oci" => self.archive(options, false),
            "local" => self.folder(options),
            "tar" => self.tar(options),
            "cacheonly" => options.finish("type=cacheonly", &[]).map(|()| Output::CacheOnly),
            other => Err(options.wrong("type", other, &TYPES)),
        }
    }

    /// Without a destination it is the store that the archive would be loaded into.
    fn docker(&mut self, mut options: Options) -> Result<Output, Failure> {
        match options.take("dest") {
            None => {
                options.take_switch("tar")?;
                image(options)
            }
            Some(destination) => self.archive_at(options, true, Some(destination)),
        }
    }

    fn archive(&mut self, mut options: Options, is_docker: bool) -> Result<Output, Failure> {
        let destination = options.take("dest");
        self.archive_at(options, is_docker, destination)
    }

    fn archive_at(
        &mut self,
        mut options: Options,
        is_docker: bool,
        destination: Option<String>,
    ) -> Result<Output, Failure> {
        let is_tar = options.take_switch("tar")?.unwrap_or(true);
        let destination = match (is_tar, destination.as_deref()) {
            (true, None | Some("" | STDOUT)) => ArchiveDestination::Tar(self.stdout(&typed(&options))?),
            (true, Some(path)) => ArchiveDestination::Tar(Destination::File(PathBuf::from(path))),
            (false, None | Some("" | STDOUT)) => {
                return Err(options.problem("has no folder to write to", "name one: `tar=false,dest=DIR`"));
            }
            (false, Some(path)) => ArchiveDestination::Layout(PathBuf::from(path)),
        };
        let names = names(&mut options)?;
        let (encoding, is_oci) = compression(&mut options)?;
        let mut annotations = self.annotations.clone();
        annotations.0.extend(annotations::of_options(&mut options)?);
        let media_types = match is_oci.unwrap_or(!is_docker) {
            true => MediaTypes::Oci,
            false => MediaTypes::Docker,
        };
        let known = [&["dest", "tar"], &NAMES[..], &COMPRESSION, &[TIMES]].concat();
        options.finish(if is_docker { "type=docker" } else { "type=oci" }, &known)?;
        Ok(Output::Archive(ArchiveOutput { is_docker, names, encoding, media_types, annotations, destination }))
    }

    fn folder(&self, mut options: Options) -> Result<Output, Failure> {
        let path = match options.take("dest") {
            Some(path) if !path.is_empty() && path != STDOUT => PathBuf::from(path),
            _ => return Err(options.problem("has no folder to write to", "name one: `type=local,dest=DIR`")),
        };
        let removes_others = match options.take("mode").as_deref() {
            None | Some("copy") => false,
            Some("delete") => true,
            Some(other) => return Err(options.wrong("mode", other, &["copy", "delete"])),
        };
        let splits_platforms = options.take_switch("platform-split")?.unwrap_or(true);
        let allowed = self.surroundings.allowed.iter().any(|allowed| allowed == "buildx.local.delete");
        if removes_others && !allowed && !is_below(&path, self.surroundings.folder) {
            return Err(options.problem(
                "would remove files outside of the current folder",
                "add `--allow buildx.local.delete` if that is meant",
            ));
        }
        options.finish("type=local", &["dest", "mode", "platform-split", TIMES])?;
        Ok(Output::Folder(FolderOutput { path, removes_others, splits_platforms }))
    }

    fn tar(&mut self, mut options: Options) -> Result<Output, Failure> {
        let destination = match options.take("dest").as_deref() {
            None | Some("" | STDOUT) => self.stdout(&typed(&options))?,
            Some(path) => Destination::File(PathBuf::from(path)),
        };
        let splits_platforms = options.take_switch("platform-split")?.unwrap_or(true);
        options.finish("type=tar", &["dest", "platform-split", TIMES])?;
        Ok(Output::Tar(TarOutput { destination, splits_platforms }))
    }

    /// Standard output, which only one output can have.
    fn stdout(&mut self, typed: &str) -> Result<Destination, Failure> {
        let file = "write it to a file: `-o type=tar,dest=FILE`";
        if std::mem::replace(&mut self.found.uses_stdout, true) {
            let problem = Problem::error("two outputs cannot both be written to standard output");
            return Err(Failure::new(problem.with_hint("give one of them a file with `dest=FILE`")));
        }
        match (self.surroundings.stdout)()? {
            Some(stdout) => Ok(Destination::Stream(Arc::new(stdout))),
            None => {
                let problem = Problem::error(format!("`--output {typed}` is not for a terminal"));
                Err(Failure::new(problem.with_hint(file)))
            }
        }
    }
}

fn typed(options: &Options) -> String {
    options.typed().to_owned()
}

/// `type=image`, and `type=docker` into the store. How layers would be compressed on their way to a registry means
/// nothing in the store, but is looked at.
fn image(mut options: Options) -> Result<Output, Failure> {
    if options.take_switch("push")? == Some(true) {
        return Err(no_push());
    }
    let prefix = options.take("dangling-name-prefix").or_else(|| options.take("danglingname"));
    let output = ImageOutput {
        names: names(&mut options)?,
        dangling_prefix: prefix.map(|text| name(&text)).transpose()?,
        is_canonical: options.take_switch("name-canonical")?.unwrap_or(false),
    };
    let is_stored = options.take_switch("store")?.unwrap_or(true);
    for switch in ["unpack", "push-by-digest", "registry.insecure"] {
        options.take_switch(switch)?;
    }
    compression(&mut options)?;
    annotations::of_options(&mut options)?;
    options.finish("type=image", &[&NAMES[..], &IMAGE, &COMPRESSION, &[TIMES]].concat())?;
    Ok(if is_stored { Output::Image(output) } else { Output::CacheOnly })
}

/// Names, with commas between.
fn names(options: &mut Options) -> Result<Vec<Reference>, Failure> {
    let names = options.take("name").unwrap_or_default();
    names.split(',').map(str::trim).filter(|text| !text.is_empty()).map(name).collect()
}

fn name(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|error: oci::ReferenceError| {
        Failure::new(Problem { hint: error.hint(), ..Problem::error(error.to_string()) })
    })
}

/// How layers are compressed, and whose media types are wanted, if that was said.
pub(super) fn compression(options: &mut Options) -> Result<(Encoding, Option<bool>), Failure> {
    const KINDS: [&str; 3] = ["uncompressed", "gzip", "zstd"];
    options.take_switch("force-compression")?;
    let media_types = options.take_switch("oci-mediatypes")?;
    let kind = options.take("compression").unwrap_or_else(|| "gzip".to_owned());
    let level = options.take("compression-level");
    let (least, most) = match kind.as_str() {
        "uncompressed" => (0, 0),
        "gzip" => (0, 9),
        "zstd" => (1, 22),
        "estargz" => {
            let hint = format!("use {}", crate::cli::options::one_of(&KINDS));
            return Err(options.problem("asks for estargz, which is not there yet", hint));
        }
        other => return Err(options.wrong("compression", other, &KINDS)),
    };
    let number = level.as_deref().map(|text| (text, text.parse::<i32>().ok().filter(|n| (least..=most).contains(n))));
    let level = match number {
        Some((text, None)) => {
            let problem = Problem::error(format!("`{text}` is not a level of {kind} compression"));
            let hint = match kind.as_str() {
                "uncompressed" => "leave out `compression-level`".to_owned(),
                _ => format!("levels are {least} to {most}: `compression-level={most}` makes the smallest blobs"),
            };
            return Err(Failure::new(problem.with_hint(hint)));
        }
        level => level.and_then(|(_, level)| level),
    };
    let encoding = match kind.as_str() {
        "gzip" => Encoding::Gzip { level: level.map_or(Encoding::GZIP_LEVEL, i32::unsigned_abs) },
        "zstd" => Encoding::Zstd { level: level.unwrap_or(Encoding::ZSTD_LEVEL) },
        _ => Encoding::Uncompressed,
    };
    Ok((encoding, media_types))
}

/// Whether a folder is below another, links resolved as far as it is there.
fn is_below(path: &Path, folder: &Path) -> bool {
    let resolved = |path: &Path| {
        let whole = folder.join(path);
        let mut missing = Vec::new();
        let mut known = whole.as_path();
        loop {
            if let Ok(found) = known.canonicalize() {
                return Some(missing.iter().rev().fold(found, |path, name| path.join(name)));
            }
            missing.push(known.file_name()?.to_owned());
            known = known.parent()?;
        }
    };
    match (resolved(path), resolved(Path::new("."))) {
        (Some(path), Some(folder)) => path != folder && path.starts_with(folder),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
