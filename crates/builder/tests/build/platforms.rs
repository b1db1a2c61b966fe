//! Building for other platforms, and for several at once (B013, D024, D032).

use builder::{ArchiveDestination, ArchiveOutput, BuildRequest, Destination, Event, Output};
use image::archive::{Annotation, AnnotationTarget, Annotations, MediaTypes};
use layer::Encoding;
use oci::{ImageConfig, Platform};
use serde_json::Value;

use crate::kitchen::{Kitchen, Outcome};

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// One that this machine is not.
fn foreign() -> Platform {
    let arm = platform("linux/arm64");
    if Platform::host().is_like(&arm) { platform("linux/amd64") } else { arm }
}

fn on(platforms: &[&Platform]) -> impl Fn(&mut BuildRequest) + use<> {
    let platforms: Vec<Platform> = platforms.iter().map(|platform| (*platform).clone()).collect();
    move |request| request.platforms.clone_from(&platforms)
}

/// Names the image `base` also `other`, as one for this platform.
fn base_for(kitchen: &Kitchen, name: &str, platform: &Platform) {
    let base = image::find(&kitchen.store, "base").unwrap().unwrap();
    let mut config = kitchen.store.image(base).unwrap();
    config.architecture.clone_from(&platform.architecture);
    config.variant.clone_from(&platform.variant);
    let id = kitchen.store.publish_image(&config.to_bytes(), None).unwrap();
    kitchen.store.set_reference(&format!("{name}:latest").parse().unwrap(), id).unwrap();
}

fn warnings(outcome: &Outcome<'_>) -> Vec<String> {
    let found = outcome.events.iter().filter_map(|event| match event {
        Event::Check(found) => Some(format!("{}: {}", found.rule.name, found.message)),
        Event::Warning { message, .. } => Some(message.clone()),
        _ => None,
    });
    found.collect()
}

#[test]
fn b013_another_platform_than_the_hosts() {
    let kitchen = Kitchen::with("a=1");
    let foreign = foreign();
    base_for(&kitchen, "other", &foreign);
    let dockerfile = "ARG WHERE=other\nFROM ${WHERE}\nARG TARGETPLATFORM TARGETARCH BUILDPLATFORM\n\
         RUN write /a $TARGETARCH\nCOPY a /\n";
    let built = kitchen.build_as(dockerfile, on(&[&foreign]));
    assert_eq!(built.image().architecture, foreign.architecture);
    assert_eq!(
        built.calls(),
        format!(
            "/bin/sh -c write /a $TARGETARCH TARGETPLATFORM={foreign} TARGETARCH={} BUILDPLATFORM={} for={foreign}",
            foreign.architecture,
            Platform::host()
        )
    );
    assert_eq!(warnings(&built), [""; 0]);
    assert!(built.steps().starts_with("CACHED [1/3] FROM docker.io/library/other@sha256:…\n"), "{}", built.steps());
    let scratch = kitchen.build_as("FROM scratch\nCOPY a /\n", on(&[&platform("linux/arm/v6")])).image();
    assert_eq!((scratch.os.as_str(), scratch.architecture.as_str()), ("linux", "arm"));
    assert_eq!(scratch.variant.as_deref(), Some("v6"));
}

#[test]
fn d024_d176_a_base_for_another_platform_is_taken_with_a_warning() {
    let kitchen = Kitchen::new();
    let (host, foreign) = (Platform::host(), foreign());
    let built = kitchen.build_as("FROM base\nRUN nothing\n", on(&[&foreign]));
    let message = format!(
        "InvalidBaseImagePlatform: Base image base was pulled with platform \"{host}\", expected \"{foreign}\" for current build"
    );
    assert_eq!(warnings(&built), [message]);
    // It is what it is, whatever was asked for: the image says so, and its programs run here.
    assert_eq!(built.image().architecture, host.architecture);
    assert_eq!(built.calls(), "/bin/sh -c nothing");
}

#[test]
fn d024_from_says_what_its_stage_is_for() {
    let kitchen = Kitchen::new();
    let (host, foreign) = (Platform::host(), foreign());
    base_for(&kitchen, "other", &foreign);
    let dockerfile = "ARG FOR=$TARGETPLATFORM\nFROM --platform=$BUILDPLATFORM base AS tools\nARG TARGETARCH\n\
         RUN write /made $TARGETARCH\nFROM --platform=${FOR} other\nCOPY --from=tools /made /\nRUN nothing\n";
    let built = kitchen.build_as(dockerfile, on(&[&foreign]));
    assert_eq!(
        built.calls(),
        format!(
            "/bin/sh -c write /made $TARGETARCH TARGETARCH={}\n/bin/sh -c nothing for={foreign}",
            foreign.architecture
        )
    );
    assert_eq!(built.image().architecture, foreign.architecture);
    assert_eq!(warnings(&built), [""; 0]);
    // A stage on a stage is for what that one is for.
    let scratch = "FROM --platform=linux/riscv64 scratch AS one\nFROM one\nLABEL a=b\n";
    let built = kitchen.build_as(scratch, on(&[&host]));
    assert_eq!(built.image().architecture, "riscv64");
}

#[test]
fn d024_platforms_that_are_none_are_told_at_their_place() {
    let kitchen = Kitchen::new();
    let error = |dockerfile: &str| kitchen.build(dockerfile).error();
    assert_eq!(
        error("FROM base AS a\nFROM --platform=linux/amd46 base\n"),
        "line 2: `amd46` is not a processor that platforms are named by\n  help: did you mean `linux/amd64`?"
    );
    assert_eq!(
        error("FROM --platform=linus/arm64 base\n"),
        "line 1: `linus` is not an operating system that platforms are named by\n  help: did you mean `linux/arm64`?"
    );
    assert_eq!(
        error("FROM --platform=$WHAT base\n"),
        "line 1: the platform is empty: `WHAT` has no value\n  help: give it with `--build-arg WHAT=…` or a default: \
         `ARG WHAT=…`"
    );
    let form = error("FROM --platform=a/b/c/d base\n");
    assert_eq!(
        form,
        format!(
            "line 1: platform `a/b/c/d` is not of the form os/architecture[/variant]\n  help: write for example \
             `--platform={}`",
            Platform::host()
        )
    );
}

/// As BuildKit names them: the platform in front, and what a stage makes programs for behind an arrow.
#[test]
fn b013_steps_of_several_platforms_are_named_with_theirs() {
    let kitchen = Kitchen::with("a=1");
    let (host, foreign) = (Platform::host(), foreign());
    let dockerfile = "FROM --platform=$BUILDPLATFORM base AS tools\nRUN nothing\nARG TARGETARCH\n\
         RUN write /made x\nFROM scratch\nCOPY --from=tools /made /\n";
    let built = kitchen.build_as(dockerfile, on(&[&host, &foreign]));
    let (mine, arch) = (host.to_string(), &foreign.architecture);
    let steps = built.steps();
    for name in [
        format!("DONE [{mine} tools 2/3] RUN nothing"),
        format!("DONE [{mine} tools 3/3] RUN write /made x"),
        format!("DONE [{mine} stage-1 1/1] COPY --from=tools /made /"),
        // What both need is made once.
        format!("CACHED [{mine} tools 2/3] RUN nothing"),
        format!("DONE [{mine}->{arch} tools 3/3] RUN write /made x"),
        format!("[{foreign} stage-1 1/1] COPY --from=tools /made /"),
    ] {
        assert!(steps.contains(&name), "no {name} in\n{steps}");
    }
    assert_eq!(built.calls().lines().filter(|call| call.contains("nothing")).count(), 1);
    let loads = built.text().matches("[internal] load build definition").count();
    assert_eq!(loads, 1);
    let context = kitchen.build_as("FROM scratch\nCOPY a /\n", on(&[&host, &foreign])).text();
    assert_eq!(context.matches("[internal] load build context").count(), 1, "{context}");
}

/// The archive of a build for several platforms, as documents.
struct Archive {
    folder: tempfile::TempDir,
}

impl Archive {
    fn build(kitchen: &Kitchen, dockerfile: &str, change: impl Fn(&mut BuildRequest)) -> (Self, ImageConfig) {
        let archive = Self { folder: tempfile::tempdir().unwrap() };
        let built = kitchen.build_as(dockerfile, |request| {
            request.outputs.push(oci(archive.folder.path()));
            change(request);
        });
        let host = built.result.as_ref().map(|_| ()).map_err(ToString::to_string);
        assert_eq!(host, Ok(()));
        let top = archive.json("index.json")["manifests"][0].clone();
        let index = archive.blob(&top);
        let config = archive.blob(&archive.blob(&index["manifests"][0])["config"]);
        (archive, serde_json::from_value(config).unwrap())
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join(name)).unwrap()).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> Value {
        self.json(&format!("blobs/sha256/{}", &descriptor["digest"].as_str().unwrap()[7..]))
    }
}

fn oci(folder: &std::path::Path) -> Output {
    Output::Archive(ArchiveOutput {
        is_docker: false,
        names: Vec::new(),
        encoding: Encoding::Uncompressed,
        media_types: MediaTypes::Oci,
        annotations: Annotations::default(),
        destination: ArchiveDestination::Layout(folder.to_owned()),
    })
}

#[test]
fn b013_several_platforms_are_one_index() {
    let kitchen = Kitchen::with("a=1");
    let (one, two) = (platform("linux/amd64"), platform("linux/arm/v7"));
    let dockerfile = "FROM scratch\nARG TARGETARCH\nCOPY a /\nLABEL for=$TARGETARCH\n";
    let (archive, config) = Archive::build(&kitchen, dockerfile, on(&[&one, &two]));
    assert_eq!(config.config.labels["for"], "amd64");
    let index = archive.blob(&archive.json("index.json")["manifests"][0]);
    let platforms: Vec<Value> =
        index["manifests"].as_array().unwrap().iter().map(|manifest| manifest["platform"].clone()).collect();
    assert_eq!(platforms[0], serde_json::json!({"architecture": "amd64", "os": "linux"}));
    assert_eq!(platforms[1], serde_json::json!({"architecture": "arm", "os": "linux", "variant": "v7"}));
    let second = archive.blob(&archive.blob(&index["manifests"][1])["config"]);
    assert_eq!(second["config"]["Labels"]["for"], "arm");
    // Nothing else was asked for.
    assert_eq!(kitchen.store.image_ids().unwrap().len(), 1);
}

#[test]
fn d036_one_platform_is_an_index_if_that_is_asked_for() {
    let kitchen = Kitchen::with("a=1");
    let (archive, _) = Archive::build(&kitchen, "FROM scratch\nCOPY a /\n", |request| {
        request.build_args.push(("BUILDKIT_MULTI_PLATFORM".to_owned(), "1".to_owned()));
    });
    let top = archive.json("index.json")["manifests"][0].clone();
    assert_eq!(top["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(archive.blob(&top)["manifests"].as_array().unwrap().len(), 1);
}

#[test]
fn b013_the_store_keeps_the_image_for_this_machine_and_says_so() {
    let kitchen = Kitchen::with("a=1");
    let (host, foreign) = (Platform::host(), foreign());
    let named = |platforms: &[&Platform]| {
        let built = kitchen.build_as("FROM scratch\nCOPY a /\n", |request| {
            on(platforms)(request);
            request.tags.push("app".parse().unwrap());
        });
        let id = image::find(&kitchen.store, "app").unwrap().unwrap();
        assert_eq!(id, built.id());
        (kitchen.store.image(id).unwrap().architecture, warnings(&built))
    };
    let warning = |platform: &Platform| {
        format!("the store keeps the image for {platform}; `-o type=oci,dest=FILE` writes those of all platforms")
    };
    assert_eq!(named(&[&foreign, &host]), (host.architecture.clone(), vec![warning(&host)]));
    let others = [&foreign, &platform("linux/riscv64")];
    assert_eq!(named(&others), (foreign.architecture.clone(), vec![warning(&foreign)]));
    assert_eq!(named(&[&foreign]), (foreign.architecture.clone(), Vec::new()));
}

#[test]
fn b056_files_of_several_platforms_are_apart() {
    let kitchen = Kitchen::with("a=1");
    let (one, two) = (platform("linux/amd64"), platform("linux/arm/v7"));
    let folder = tempfile::tempdir().unwrap();
    let build = |dockerfile: &str, splits: bool, deletes: bool| {
        let output =
            builder::FolderOutput { path: folder.path().to_owned(), removes_others: deletes, splits_platforms: splits };
        kitchen.build_as(dockerfile, |request| {
            on(&[&one, &two])(request);
            request.outputs.push(Output::Folder(output));
        })
    };
    std::fs::write(folder.path().join("mine"), "").unwrap();
    build("FROM scratch\nCOPY a /\n", true, false).id();
    let names = || {
        let names =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(), ["linux_amd64", "linux_arm_v7", "mine"].map(str::to_owned).into());
    assert!(folder.path().join("linux_arm_v7/a").exists());
    build("FROM scratch\nCOPY a /\n", true, true).id();
    assert_eq!(names(), ["linux_amd64", "linux_arm_v7"].map(str::to_owned).into());
    let meeting = build("FROM scratch\nCOPY a /\n", false, false).error();
    assert_eq!(meeting, "`/a` is in the results for several platforms");
    build("FROM scratch\nARG TARGETARCH\nCOPY a /bin/$TARGETARCH\n", false, true).id();
    assert_eq!(names(), ["bin".to_owned()].into());
    assert!(folder.path().join("bin/amd64").exists() && folder.path().join("bin/arm").exists());
    let tar = tempfile::NamedTempFile::new().unwrap();
    let output = builder::TarOutput { destination: Destination::File(tar.path().to_owned()), splits_platforms: true };
    kitchen
        .build_as("FROM scratch\nCOPY a /\n", |request| {
            on(&[&one, &two])(request);
            request.outputs.push(Output::Tar(output));
        })
        .id();
    let bytes = std::fs::read(tar.path()).unwrap();
    for name in [&b"linux_amd64/a\0"[..], b"linux_arm_v7/a\0"] {
        assert!(bytes.windows(name.len()).any(|window| window == name));
    }
}

#[test]
fn what_contradicts_the_platforms_is_told_before_anything_is_built() {
    let kitchen = Kitchen::with("a=1");
    let (host, foreign) = (Platform::host(), foreign());
    let dockerfile = "FROM base\nRUN nothing\n";
    let both = on(&[&host, &foreign]);
    let docker = kitchen.build_as(dockerfile, |request| {
        both(request);
        let Output::Archive(archive) = oci(std::path::Path::new("x")) else { unreachable!("it is an archive") };
        request.outputs.push(Output::Archive(ArchiveOutput { is_docker: true, ..archive }));
    });
    assert_eq!(docker.error(), "an archive for `docker load` holds one platform, and several are built");
    let index = kitchen.build_as(dockerfile, |request| {
        let Output::Archive(archive) = oci(std::path::Path::new("x")) else { unreachable!("it is an archive") };
        let annotation =
            Annotation { target: AnnotationTarget::Index, platform: None, key: "a".to_owned(), value: "b".to_owned() };
        request.outputs.push(Output::Archive(ArchiveOutput { annotations: Annotations(vec![annotation]), ..archive }));
    });
    assert_eq!(index.error(), "an index is annotated, and one platform makes none");
    let classic = kitchen.build_as(dockerfile, |request| {
        both(request);
        request.classic = Some(builder::ClassicRequest::default());
    });
    assert_eq!(classic.error(), "the classic way of building has one platform");
    for failed in [docker, index, classic] {
        assert_eq!(failed.calls(), "");
    }
}

#[test]
fn b013_what_cannot_run_here_is_an_error_with_a_hint() {
    let kitchen = Kitchen::new();
    let built = kitchen.build("FROM base\nRUN no-emulator\n");
    assert_eq!(
        built.error(),
        "line 2: the command could not be run\n  help: install it\n  cause: programs for linux/x cannot run here"
    );
}
