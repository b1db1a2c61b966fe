//! `--build-context`: folders, images, stages and servers in the place of what the Dockerfile names (D159, D164, B016).

use std::fs;
use std::path::PathBuf;

use builder::NamedContext;

use crate::kitchen::{Kitchen, Outcome};
use crate::servers::ServedFile;

/// Makes a folder beside the context, with files in words: `a=text`.
fn folder(kitchen: &Kitchen, name: &str, files: &str) -> PathBuf {
    let folder = kitchen.folder().join(name);
    for word in files.split_whitespace() {
        let (path, text) = word.split_once('=').unwrap();
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("\\n", "\n")).unwrap();
    }
    folder
}

fn build<'k>(kitchen: &'k Kitchen, contexts: &[&str], dockerfile: &str) -> Outcome<'k> {
    kitchen.build_as(dockerfile, |request| {
        request.named_contexts = contexts.iter().map(|text| NamedContext::parse(text).unwrap()).collect();
    })
}

#[test]
fn d159_files_of_a_folder_by_name() {
    let kitchen = Kitchen::with("a=main");
    let docs = folder(&kitchen, "docs", "a=1 d/b=2 secret=3 .dockerignore=secret\\n.dockerignore");
    let docs = format!("docs={}", docs.display());
    let built = build(&kitchen, &[&docs], "FROM base\nCOPY --from=docs a /1\nCOPY --from=docs . /2/\nCOPY a /3");
    assert_eq!(built.changes(), "/1 644 \"1\"\n/2/ 755\n/2/a 644 \"1\"\n/2/d/ 755\n/2/d/b 644 \"2\"\n/3 644 \"main\"");
    let text = built.text();
    assert!(
        text.contains("[context docs] load .dockerignore\n") && text.contains("[context docs] load from client\n"),
        "{text}"
    );
    // The same files from the build's own context have the same keys.
    let again = build(&kitchen, &[&docs], "FROM base\nCOPY --from=docs a /1\n");
    assert!(again.steps().lines().all(|line| line.starts_with("CACHED")), "{}", again.steps());
    // No context of the build's own is needed.
    let alone = kitchen.build_as("FROM base\nCOPY --from=docs a /1", |request| {
        request.context = None;
        request.named_contexts = vec![NamedContext::parse(&docs).unwrap()];
    });
    assert_eq!(alone.changes(), "/1 644 \"1\"");
    let missing = build(&kitchen, &[&docs], "FROM base\nCOPY --from=docs secret nope /x/").error();
    assert!(missing.contains("`secret` is excluded from the build context by the ignore file"), "{missing}");
    assert!(missing.contains("`nope` is not in the build context"), "{missing}");
}

#[test]
fn d159_a_folder_in_the_place_of_an_image_or_a_stage() {
    let kitchen = Kitchen::with("a=1");
    let root = folder(&kitchen, "root", "bin/sh=sh etc/x=y");
    let context = format!("alpine={}", root.display());
    let built = build(&kitchen, &[&context], "FROM alpine:latest\nENV A=b\nCOPY a /a");
    assert_eq!(built.tree(), "/a 644 \"1\"\n/bin/ 755\n/bin/sh 644 \"sh\"\n/etc/ 755\n/etc/x 644 \"y\"");
    assert_eq!(built.history(), "FROM alpine\n- ENV A=b\nCOPY a /a # buildkit");
    assert_eq!(built.image().history.len(), 3);
    // A stage of the name is not built.
    let context = format!("build={}", root.display());
    let file = "FROM base AS build\nRUN write /bin/sh made\nFROM base\nCOPY --from=build /bin/sh /x\n";
    let built = build(&kitchen, &[&context], file);
    assert_eq!((built.changes().as_str(), built.calls().as_str()), ("/x 644 \"sh\"", ""));
    let file = "FROM base AS build\nRUN write /a b\nFROM build\nRUN write /c d\n";
    assert_eq!(build(&kitchen, &[&context], file).calls(), "/bin/sh -c write /c d");
    // Also as the target, or by its number.
    let replaced = kitchen.build_as("FROM base AS build\nRUN write /a b\n", |request| {
        request.named_contexts = vec![NamedContext::parse(&context).unwrap()];
    });
    assert_eq!((replaced.tree().lines().count(), replaced.calls().as_str()), (4, ""));
    let by_number = "FROM base AS build\nRUN write /a b\nFROM base\nCOPY --from=0 /bin/sh /x\n";
    assert_eq!(build(&kitchen, &[&context], by_number).changes(), "/x 644 \"sh\"");
}

#[test]
fn d159_images_stages_and_nothing() {
    let kitchen = Kitchen::new();
    kitchen.image("other", "o=1", r#"{"Env":["O=p"]}"#);
    let built = build(&kitchen, &["base=docker-image://other"], "FROM base\nCOPY --from=base /o /p");
    assert_eq!(built.tree(), "/o 644 \"1\"\n/p 644 \"1\"");
    assert!(built.config().contains("O=p"));
    let file =
        "FROM base AS one\nRUN write /a 1\nFROM base AS two\nRUN write /a 2\nFROM alpine\nCOPY --from=tools /a /b\n";
    let built = build(&kitchen, &["alpine=target:one", "tools=target:two"], file);
    assert_eq!(built.changes(), "/a 644 \"1\"\n/b 644 \"2\"");
    assert_eq!(
        build(&kitchen, &["x=docker-image://scratch"], "FROM x\nCOPY --from=other /o /o").tree(),
        "/o 644 \"1\""
    );
    for (context, file, expected) in [
        (
            "x=target:later",
            "FROM x\nFROM base AS later\n",
            "the context `x` is stage `later`, which is not above this one",
        ),
        ("x=docker-image://nope", "FROM x\n", "image `docker.io/library/nope` is not in the store"),
        ("x=docker-image://scratch", "FROM base\nCOPY --from=x a /\n", "there is nothing to take"),
        ("x=docker-image://A:B:C", "FROM x\n", "A:B:C"),
    ] {
        let outcome = kitchen.build_as(file, |request| {
            request.named_contexts = vec![NamedContext::parse(context).unwrap()];
            request.target = Some("0".to_owned());
        });
        let error = outcome.error();
        assert!(error.contains(expected) && error.contains("\n  help: "), "{context}: {error}");
    }
}

#[test]
fn d159_variables_names_of_later_stages_and_platforms() {
    let kitchen = Kitchen::new();
    let one = format!("one={}", folder(&kitchen, "one", "f=1").display());
    let two = format!("two={}", folder(&kitchen, "two", "f=2").display());
    let file = "ARG WHICH=one\nFROM base\nARG WHICH\nCOPY --from=$WHICH f /f\n";
    assert_eq!(build(&kitchen, &[&one, &two], file).changes(), "/f 644 \"1\"");
    // A stage of that name comes later; without the context that is a mistake.
    let file = "FROM base AS first\nCOPY --from=two f /f\nFROM first AS two\n";
    let built = kitchen.build_as(file, |request| {
        request.named_contexts = vec![NamedContext::parse(&two).unwrap()];
        request.target = Some("first".to_owned());
    });
    assert_eq!(built.changes(), "/f 644 \"2\"");
    let host = oci::Platform::host();
    let for_host = two.replacen("two=", &format!("x::{host}="), 1);
    let for_all = one.replacen("one=", "x=", 1);
    assert_eq!(build(&kitchen, &[&for_host, &for_all], "FROM base\nCOPY --from=x f /f").changes(), "/f 644 \"2\"");
    let foreign = two.replacen("two=", "x::linux/riscv64=", 1);
    assert_eq!(build(&kitchen, &[&foreign, &for_all], "FROM base\nCOPY --from=x f /f").changes(), "/f 644 \"1\"");
}

#[test]
fn d159_contexts_of_servers() {
    let kitchen = Kitchen::new();
    kitchen.servers.commit("https://example.com/r.git", 'a', "a=1 d/b=2");
    kitchen.servers.file("https://example.com/a.tar.gz", include_bytes!("archives/a.tar.gz").to_vec());
    let named =
        ServedFile { content_disposition: Some("attachment; filename=tool".to_owned()), ..ServedFile::default() };
    kitchen.servers.serve("https://example.com/get", ServedFile { body: b"tool".to_vec(), ..named });
    let contexts =
        ["g=https://example.com/r.git#main:d", "t=https://example.com/a.tar.gz", "f=https://example.com/get"];
    let file = "FROM base\nCOPY --from=g b /1\nCOPY --from=t . /2/\nCOPY --from=f . /3/\n";
    let built = build(&kitchen, &contexts, file);
    let changes = built.changes();
    assert!(changes.starts_with("/1 644 \"2\"\n/2/ 755\n/2/"), "{changes}");
    assert!(changes.ends_with("/3/ 755\n/3/tool 600 \"tool\""), "{changes}");
    assert!(built.text().contains("[context g] https://example.com/r.git#main:d\n"), "{}", built.text());
    // What is not used is not asked for.
    kitchen.servers.asked();
    build(&kitchen, &contexts, "FROM base\nRUN write /a b").id();
    assert_eq!(kitchen.servers.asked(), "");
    let failed = build(&kitchen, &["g=https://example.com/nope.git"], "FROM base\nCOPY --from=g a /\n");
    assert_eq!(failed.error(), "`https://example.com/nope.git` is not served");
}

#[test]
fn d159_contexts_that_are_not_there() {
    let kitchen = Kitchen::with("file=1");
    let nowhere = kitchen.folder().join("nowhere");
    let file = kitchen.context().join("file");
    for (place, cause) in [(nowhere, "No such file"), (file, "it is not a folder")] {
        let context = format!("x={}", place.display());
        let outcome = build(&kitchen, &[&context], "FROM base\nCOPY --from=x a /\n");
        let Err(builder::BuildError::Source { message, causes, hint }) = &outcome.result else { panic!() };
        assert_eq!(*message, format!("cannot open the context `x`, {}", place.display()));
        assert!(
            causes[0].contains(cause) && hint.as_deref().is_some_and(|hint| hint.contains("--build-context x=./x"))
        );
        // Nobody looks for what is not used.
        build(&kitchen, &[&context], "FROM base\nRUN write /a b\n").id();
    }
}

/// A layout of one image as other tools write it.
fn layout(kitchen: &Kitchen, name: &str) -> PathBuf {
    use sha2_of as digest;
    let folder = kitchen.folder().join(name);
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = digest(bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes).unwrap();
        format!(r#""digest":"{digest}","size":{}"#, bytes.len())
    };
    let tar = include_bytes!("archives/a.tar.gz");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut layer::Decoder::new(&tar[..]).unwrap(), &mut plain).unwrap();
    let layer = put(tar);
    let config = format!(
        r#"{{"architecture":"{}","os":"linux","config":{{"Env":["L=m"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[{{"created_by":"x"}}]}}"#,
        oci::Platform::host().architecture,
        digest(&plain)
    );
    let config = put(config.as_bytes());
    let manifest = put(
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",{layer}}}]}}"#
        )
        .as_bytes(),
    );
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json",{manifest},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#
    );
    fs::write(folder.join("index.json"), index).unwrap();
    folder
}

fn sha2_of(bytes: &[u8]) -> String {
    oci::Digest::of(bytes).to_string()
}

#[test]
fn d159_an_image_of_an_oci_layout() {
    let kitchen = Kitchen::new();
    let place = layout(&kitchen, "layout");
    let index = fs::read_to_string(place.join("index.json")).unwrap();
    let manifest = index.split("\"digest\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let shown = place.display();
    let images = kitchen.store.image_ids().unwrap();
    for source in [
        format!("oci-layout://{shown}"),
        format!("oci-layout://{shown}:v1"),
        format!("oci-layout://{shown}@{manifest}"),
    ] {
        let built = build(&kitchen, &[&format!("alpine={source}")], "FROM alpine\nRUN write /r s\n");
        assert!(built.config().contains("L=m"), "{source}");
        assert!(built.tree().contains("/r 644 \"s\""), "{}", built.tree());
    }
    // Only what was built is an image here.
    assert_eq!(kitchen.store.image_ids().unwrap().len(), images.len() + 1);
    // Its layers are here now: a build that finds everything writes nothing.
    let again = build(&kitchen, &[&format!("alpine=oci-layout://{shown}")], "FROM alpine\nRUN write /r s\n");
    assert_eq!(again.calls(), "");
    let error = build(&kitchen, &[&format!("x=oci-layout://{shown}:v2")], "FROM x\n").error();
    assert!(error.contains("has no image `v2`") && error.contains(&format!("oci-layout://{shown}:v1")), "{error}");
    let error = build(&kitchen, &[&format!("x=oci-layout://{}", kitchen.context().display())], "FROM x\n").error();
    assert!(error.contains("is not an OCI layout") && error.contains("help: give a folder"), "{error}");
}

#[test]
fn d159_a_layout_that_was_tampered_with_is_refused() {
    for part in ["layer", "config", "manifest", "link"] {
        let kitchen = Kitchen::new();
        let place = layout(&kitchen, "layout");
        let blobs = place.join("blobs/sha256");
        let chosen = fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
            let bytes = fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            match part {
                "config" => text.contains("rootfs"),
                "manifest" => text.contains("schemaVersion"),
                _ => bytes.starts_with(&[0x1f, 0x8b]),
            }
        });
        let chosen = chosen.unwrap();
        let mut bytes = fs::read(&chosen).unwrap();
        if part == "link" {
            fs::remove_file(&chosen).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", &chosen).unwrap();
        } else {
            let last = bytes.len() - 1;
            bytes[last] = if bytes[last] == b'}' { b' ' } else { bytes[last] ^ 1 };
            fs::write(&chosen, bytes).unwrap();
        }
        let outcome = build(&kitchen, &[&format!("x=oci-layout://{}", place.display())], "FROM x\nRUN write /a b\n");
        assert!(outcome.result.is_err(), "{part}");
        assert_eq!(outcome.calls(), "", "{part}");
    }
}
