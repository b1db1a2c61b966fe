use std::ffi::OsString;

use engine::AnnotationTarget;

use super::*;
use crate::cli::{Command, parse};

fn args(line: &str) -> OutputArgs {
    let words: Vec<OsString> = ["onggi", "build"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
    let Command::Build(args) = parse(&words).unwrap().command else { panic!("{line}") };
    args.output
}

fn on(line: &str, is_terminal: bool, allowed: &[&str]) -> Result<Outputs, String> {
    let stdout = || Ok((!is_terminal).then(|| tempfile::tempfile().unwrap()));
    let folder = std::env::current_dir().unwrap();
    let allowed: Vec<String> = allowed.iter().map(|text| (*text).to_owned()).collect();
    let surroundings = Surroundings { stdout: &stdout, folder: &folder, allowed: &allowed };
    outputs(&args(line), &surroundings).map_err(|failure| {
        let Failure::Problems { problems, .. } = failure else { panic!("{failure:?}") };
        format!("{}; {}", problems[0].message, problems[0].hint.as_deref().unwrap_or("no hint"))
    })
}

fn all(line: &str) -> Vec<Output> {
    on(line, false, &[]).unwrap().outputs
}

fn one(line: &str) -> Output {
    let mut all = all(line);
    assert_eq!(all.len(), 1, "{line}");
    all.remove(0)
}

fn archive(line: &str) -> ArchiveOutput {
    let Output::Archive(archive) = one(line) else { panic!("{line}") };
    archive
}

fn wrong(line: &str) -> String {
    on(line, false, &[]).unwrap_err()
}

#[test]
fn b058_short_forms() {
    assert!(
        matches!(one("-o out"), Output::Folder(FolderOutput { path, removes_others: false, splits_platforms: true })
        if path == Path::new("out"))
    );
    assert!(matches!(one("-o -"), Output::Tar(TarOutput { destination: Destination::Stream(_), .. })));
    assert!(matches!(one("--output=./a"), Output::Folder(FolderOutput { path, .. }) if path == Path::new("./a")));
    assert!(all(".").is_empty());
}

#[test]
fn b054_b055_archives() {
    let oci = archive("-o type=oci,dest=x.tar");
    assert!(!oci.is_docker && oci.media_types == MediaTypes::Oci);
    assert_eq!(oci.encoding, Encoding::Gzip { level: 6 });
    assert!(matches!(oci.destination, ArchiveDestination::Tar(Destination::File(path)) if path == Path::new("x.tar")));
    let layout = archive("-o type=oci,tar=false,dest=layout");
    assert!(matches!(layout.destination, ArchiveDestination::Layout(path) if path == Path::new("layout")));
    let docker = archive("-o type=docker,dest=-,\"name=a,b:2\"");
    assert!(docker.is_docker && docker.media_types == MediaTypes::Docker);
    assert!(matches!(docker.destination, ArchiveDestination::Tar(Destination::Stream(_))));
    assert_eq!(
        docker.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["docker.io/library/a", "docker.io/library/b:2"]
    );
    for stream in ["-o type=oci", "-o type=oci,dest=-", "-o type=docker,dest=-"] {
        assert!(matches!(archive(stream).destination, ArchiveDestination::Tar(Destination::Stream(_))), "{stream}");
    }
    // Without a destination the store is what would load it.
    assert!(matches!(one("-o type=docker"), Output::Image(_)));
}

#[test]
fn b051_b052_compression_and_media_types() {
    for (options, encoding) in [
        ("compression=uncompressed", Encoding::Uncompressed),
        ("compression=gzip", Encoding::Gzip { level: 6 }),
        ("compression=gzip,compression-level=0", Encoding::Gzip { level: 0 }),
        ("compression=zstd", Encoding::Zstd { level: 3 }),
        ("compression=zstd,compression-level=22,force-compression=true", Encoding::Zstd { level: 22 }),
    ] {
        assert_eq!(archive(&format!("-o type=oci,dest=x,{options}")).encoding, encoding, "{options}");
    }
    assert_eq!(archive("-o type=oci,dest=x,oci-mediatypes=false").media_types, MediaTypes::Docker);
    assert_eq!(archive("-o type=docker,dest=x,oci-mediatypes=true").media_types, MediaTypes::Oci);
    for (options, message) in [
        (
            "compression=gzip,compression-level=10",
            "`10` is not a level of gzip compression; levels are 0 to 9: `compression-level=9` makes the smallest blobs",
        ),
        (
            "compression=zstd,compression-level=0",
            "`0` is not a level of zstd compression; levels are 1 to 22: `compression-level=22` makes the smallest blobs",
        ),
        (
            "compression-level=high",
            "`high` is not a level of gzip compression; levels are 0 to 9: `compression-level=9` makes the smallest blobs",
        ),
        (
            "compression=uncompressed,compression-level=1",
            "`1` is not a level of uncompressed compression; leave out `compression-level`",
        ),
        (
            "compression=gz",
            "`gz` is not a value of `compression` in `--output type=oci,dest=x,compression=gz`; use `uncompressed`, `gzip` or `zstd`",
        ),
        (
            "compression=estargz",
            "`--output type=oci,dest=x,compression=estargz` asks for estargz, which is not there yet; use `uncompressed`, `gzip` or `zstd`",
        ),
        (
            "oci-mediatypes=yes",
            "`yes` is not a value of `oci-mediatypes` in `--output type=oci,dest=x,oci-mediatypes=yes`; use `true` or `false`",
        ),
    ] {
        assert_eq!(wrong(&format!("-o type=oci,dest=x,{options}")), message);
    }
}

#[test]
fn b050_images_of_the_store() {
    let Output::Image(image) =
        one("-o type=image,\"name=a,b\",dangling-name-prefix=none/x,name-canonical=true,unpack=true")
    else {
        panic!("no image");
    };
    assert_eq!(image.names.len(), 2);
    assert!(image.is_canonical);
    assert_eq!(image.dangling_prefix.unwrap().to_string(), "docker.io/none/x");
    assert!(matches!(one("-o type=image,store=false"), Output::CacheOnly));
    assert!(matches!(one("-o type=cacheonly"), Output::CacheOnly));
}

#[test]
fn b053_b054_push_and_load() {
    assert!(matches!(one("--load"), Output::Image(_)));
    let both = all("--load -o out");
    assert!(matches!(both[..], [Output::Folder(_), Output::Image(_)]));
    assert_eq!(all("--load -o type=image").len(), 1);
    for line in ["--push", "-o type=registry", "-o type=image,push=true", "-o type=registry,name=x"] {
        assert!(wrong(line).starts_with("a build that pushes its result is not there yet; build with `-t"), "{line}");
    }
}

#[test]
fn b056_folders() {
    assert!(matches!(
        one("-o type=local,dest=out,mode=copy,platform-split=false"),
        Output::Folder(FolderOutput { removes_others: false, splits_platforms: false, .. })
    ));
    assert!(matches!(
        one("-o type=local,dest=out,mode=delete"),
        Output::Folder(FolderOutput { removes_others: true, .. })
    ));
    for line in ["-o type=local", "-o type=local,dest=", "-o type=local,dest=-"] {
        let hint = "has no folder to write to; name one: `type=local,dest=DIR`";
        assert_eq!(wrong(line), format!("`--output {}` {hint}", &line[3..]));
    }
    for outside in ["..", ".", "/", "/tmp/x", "out/../.."] {
        let line = format!("-o type=local,dest={outside},mode=delete");
        let message = wrong(&line);
        assert!(message.ends_with("add `--allow buildx.local.delete` if that is meant"), "{message}");
        on(&line, false, &["buildx.local.delete"]).unwrap();
        one(&format!("-o type=local,dest={outside}"));
    }
    assert!(wrong("-o type=local,dest=x,mode=delte").ends_with("did you mean `mode=delete`?"));
}

#[test]
fn b059_several_outputs_of_which_one_may_use_standard_output() {
    let outputs = all("-o out -o type=oci,dest=x.tar -o type=tar -o type=image");
    assert!(matches!(outputs[..], [Output::Folder(_), Output::Archive(_), Output::Tar(_), Output::Image(_)]));
    let message = "two outputs cannot both be written to standard output; give one of them a file with `dest=FILE`";
    for line in ["-o - -o -", "-o type=tar -o type=oci", "-o - -o type=docker,dest=-"] {
        assert_eq!(wrong(line), message, "{line}");
    }
    for line in ["-o -", "-o type=tar", "-o type=oci", "-o type=docker,dest=-"] {
        let message = on(line, true, &[]).unwrap_err();
        assert_eq!(
            message,
            format!("`--output {}` is not for a terminal; write it to a file: `-o type=tar,dest=FILE`", &line[3..])
        );
    }
}

#[test]
fn b094_times_may_be_asked_for_in_an_output() {
    let rewrites = |line: &str| on(line, false, &[]).map(|outputs| outputs.rewrites_times);
    assert_eq!(rewrites("-o type=oci,dest=x,rewrite-timestamp=true"), Ok(Some(true)));
    assert_eq!(rewrites("-o type=image,rewrite-timestamp=false"), Ok(Some(false)));
    assert_eq!(rewrites("-o out"), Ok(None));
    assert!(rewrites("-o type=image,rewrite-timestamp=false -o type=tar,rewrite-timestamp=true").is_err());
}

#[test]
fn b012_b060_annotations() {
    let pairs = |line: &str| -> Vec<String> {
        let show = |annotation: &engine::Annotation| {
            let platform = annotation.platform.as_ref().map_or_else(String::new, |platform| format!("[{platform}]"));
            format!("{:?}{platform} {}={}", annotation.target, annotation.key, annotation.value)
        };
        archive(line).annotations.0.iter().map(show).collect()
    };
    assert_eq!(
        pairs(
            "--annotation a=b --annotation index:c=d=e --annotation manifest[linux/arm64],index-descriptor:org.x:y=z \
             -o type=oci,dest=x,annotation.Key=V,annotation-index.k=v,annotation-manifest-descriptor[linux/amd64].p=q,annotation[linux/arm/v7].r="
        ),
        [
            "Manifest a=b",
            "Index c=d=e",
            "Manifest[linux/arm64] org.x:y=z",
            "IndexDescriptor org.x:y=z",
            "Manifest Key=V",
            "Index k=v",
            "ManifestDescriptor[linux/amd64] p=q",
            "Manifest[linux/arm/v7] r=",
        ]
    );
    assert_eq!(AnnotationTarget::Manifest, archive("--annotation a=b -o type=docker,dest=x").annotations.0[0].target);
    for (line, message) in [
        ("--annotation a", "`--annotation a` has no value; write `--annotation KEY=VALUE`"),
        ("--annotation =b", "`--annotation =b` has no key; write `--annotation KEY=VALUE`"),
        ("--annotation manifst:a=b", "`manifst` is not a kind of annotation; did you mean `manifest`?"),
        (
            "-o type=oci,dest=x,annotation-image.a=b",
            "`image` is not a kind of annotation; use `manifest`, `manifest-descriptor`, `index` or `index-descriptor`, or nothing before the key",
        ),
        (
            "-o type=oci,dest=x,annotation.=b",
            "`type=oci` has no option `annotation.`; did you mean `annotation.KEY=…`?",
        ),
    ] {
        assert_eq!(wrong(line), message);
    }
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    for (line, message) in [
        ("-o dest=x", "`--output dest=x` has no type; begin with one, as in `type=local,dest=x`"),
        ("-o type=dcoker", "`dcoker` is not a value of `type` in `--output type=dcoker`; did you mean `type=docker`?"),
        (
            "-o type=squashfs",
            "`squashfs` is not a value of `type` in `--output type=squashfs`; use `image`, `docker`, `oci`, `local`, `tar`, `registry` or `cacheonly`",
        ),
        ("-o type=local,dst=x,dest=y", "`type=local` has no option `dst`; did you mean `dest=…`?"),
        (
            "-o type=tar,dest=x,compression=gzip",
            "`type=tar` has no option `compression`; it has `dest`, `platform-split` or `rewrite-timestamp`",
        ),
        (
            "-o type=oci,tar=false",
            "`--output type=oci,tar=false` has no folder to write to; name one: `tar=false,dest=DIR`",
        ),
        ("-o type=image,name=UPPER", "invalid reference: `UPPER` must be lower case; write `upper`"),
        ("-o out,x", "`out` in `--output out,x` has no value; write each option as `NAME=VALUE`, with commas between"),
    ] {
        let found = wrong(line);
        assert!(found == message || line.contains("UPPER") && found.ends_with("write `upper`"), "{found}\n{message}");
    }
}
