//! `push` against Debian's `docker-registry` (S264, C020, C021).

use std::process::Stdio;

use testkit::{Fault, FaultProxy, RegistryOptions};

use crate::build_project::Project;
use crate::pull::{blobs, digest, noise, published, registry};

/// `ID: word` of each layer, the uppermost first, by DiffID.
fn lines(project: &Project, name: &str, word: &str) -> Vec<String> {
    let inspected = project.inspect(name);
    let layers = inspected["RootFS"]["Layers"].as_array().unwrap();
    layers.iter().rev().map(|layer| format!("{}: {word}", &layer.as_str().unwrap()[7..19])).collect()
}

#[test]
fn s264_what_a_push_says() {
    let Some(registry) = registry("s264_what_a_push_says", &RegistryOptions::default()) else { return };
    let project = Project::without_base();
    project.file("a", noise(1, 100_000)).file("b", "b").dockerfile("FROM scratch\nCOPY a /\nCOPY b /\n");
    let name = format!("{}/team/app:alpine", registry.host());
    project.build(&["-t", &name]).run().success();
    let pushed = project.onggi(["image", "push", &name]).run().success();
    let shown: Vec<&str> = pushed.stdout.lines().collect();
    assert_eq!(shown[0], format!("The push refers to repository [{}/team/app]", registry.host()));
    assert_eq!(shown[1..3], lines(&project, &name, "Preparing"));
    let mut sent = shown[3..5].to_vec();
    let mut expected = lines(&project, &name, "Pushed");
    sent.sort_unstable();
    expected.sort();
    assert_eq!(sent, expected);
    let digest = digest(&project, &name);
    let size = project.sandbox.root().join("blobs").join(&digest[7..]).metadata().unwrap().len();
    let last = format!("alpine: digest: {digest} size: {size}");
    assert_eq!((shown[5], shown.len(), pushed.stderr.as_str()), (last.as_str(), 6, ""));

    let again = project.onggi(["push", &name]).run().success();
    let mut expected = vec![shown[0].to_owned()];
    expected.extend(lines(&project, &name, "Preparing"));
    expected.extend(lines(&project, &name, "Layer already exists"));
    expected.push(last);
    assert_eq!(again.stdout.lines().collect::<Vec<_>>(), expected);

    let other = format!("{}/other", registry.host());
    project.ask(&["tag", &name, &other]);
    let mounted = project.onggi(["push", &other]).run().success();
    assert!(mounted.stdout.starts_with("Using default tag: latest\nThe push refers to repository ["));
    for line in lines(&project, &name, "Mounted from team/app") {
        assert!(mounted.stdout.contains(&line), "{}", mounted.stdout);
    }
    assert_eq!(project.ask(&["push", "-q", &other]), format!("{other}:latest\n"));
}

#[test]
fn c021_all_tags_platforms_and_refusals() {
    let Some(registry) = registry("c021_all_tags_platforms_and_refusals", &RegistryOptions::default()) else { return };
    let project = published(&registry, &[1000]);
    let name = format!("{}/team/app", registry.host());
    let all = project.onggi(["push", "-a", &name]).run().success();
    let digests: Vec<&str> = all.stdout.lines().filter(|line| line.contains("digest: ")).collect();
    assert!(digests[0].starts_with("latest: digest: sha256:") && digests[1].starts_with("v1: digest: sha256:"));
    for (words, said) in [
        (vec!["push", "-a", "x:v1"], "tag can't be used with --all-tags/-a"),
        (vec!["push", "nothing"], "An image does not exist locally with the tag: nothing"),
        (vec!["push", "--platform", "linux/s390x", &name], "not for linux/s390x"),
    ] {
        let refused = project.onggi(&words).run().exits(1);
        assert!(refused.stderr.contains(said), "{words:?}: {}", refused.stderr);
    }
    let with_digest = format!("{name}@{}", digest(&project, &name));
    assert!(project.onggi(["push", &with_digest]).run().exits(1).stderr.contains("cannot push a digest reference"));
}

#[test]
fn c020_n040_an_unchanged_push_is_one_request_and_a_new_layer_is_sent_alone() {
    let test = "c020_n040_an_unchanged_push_is_one_request_and_a_new_layer_is_sent_alone";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let proxy = FaultProxy::before(registry.port(), |_| Fault::None);
    let name = format!("127.0.0.1:{}/team/app", proxy.port());
    let project = Project::without_base();
    project.file("a", noise(1, 400_000)).dockerfile("FROM scratch\nCOPY a /\n");
    project.build(&["-t", &name]).run().success();
    project.ask(&["push", &name]);
    let asked = || -> Vec<String> {
        let lines = proxy.requests().into_iter().map(|request| format!("{} {}", request.method, request.path));
        lines.filter(|line| line.contains("/v2/team")).collect()
    };
    asked();
    project.ask(&["push", &name]);
    assert_eq!(asked(), ["HEAD /v2/team/app/manifests/latest"]);
    let before = proxy.received();
    project.file("b", noise(2, 50_000)).dockerfile("FROM scratch\nCOPY a /\nCOPY b /\n");
    project.build(&["-t", &name]).run().success();
    project.ask(&["push", &name]);
    let sent = proxy.received() - before;
    assert!((50_000..60_000).contains(&sent), "{sent} bytes");
    let base = &blobs(&project, &name)[0].0;
    assert!(asked().iter().all(|line| !line.contains(base.as_str())), "what is known to be there is not asked for");
}

/// A network that cuts each upload.
#[test]
fn n041_a_push_over_a_network_that_cuts() {
    let Some(registry) = registry("n041_a_push_over_a_network_that_cuts", &RegistryOptions::default()) else { return };
    let cuts = std::sync::atomic::AtomicU32::new(2);
    let proxy = FaultProxy::before(registry.port(), move |request| {
        let is_cut = request.method == "PATCH"
            && cuts
                .fetch_update(std::sync::atomic::Ordering::Relaxed, std::sync::atomic::Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        if is_cut { Fault::CutRequest(700_000) } else { Fault::None }
    });
    let project = Project::without_base();
    project.file("a", noise(1, 2_000_000)).dockerfile("FROM scratch\nCOPY a /\n");
    let name = format!("127.0.0.1:{}/team/app", proxy.port());
    project.build(&["-t", &name]).run().success();
    project.ask(&["push", &name]);
    let other = Project::without_base();
    other.ask(&["pull", &format!("{}/team/app", registry.host())]);
}

/// What we push is what skopeo reads, and the digest is the registry's.
#[test]
fn s264_skopeo_reads_what_was_pushed() {
    let Some(registry) = registry("s264_skopeo_reads_what_was_pushed", &RegistryOptions::default()) else { return };
    let project = published(&registry, &[5_000_000, 3000]);
    let name = format!("{}/team/app", registry.host());
    if std::process::Command::new("skopeo").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let inspect =
        project.sandbox.command("skopeo").arguments(["inspect", "--tls-verify=false", &format!("docker://{name}")]);
    let inspected: serde_json::Value = serde_json::from_str(&inspect.run().success().stdout).unwrap();
    assert_eq!(inspected["Digest"], digest(&project, &name));
    let folder = project.sandbox.work().join("copied");
    let target = format!("dir:{}", folder.display());
    let words = ["copy", "--src-tls-verify=false", "--insecure-policy", &format!("docker://{name}"), &target];
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let copied =
        project.sandbox.command("skopeo").arguments([&["--insecure-policy"], &words[..2], &words[3..]].concat());
    copied.run().success();
    for (digest, size) in blobs(&project, &name) {
        assert_eq!(folder.join(&digest[7..]).metadata().unwrap().len(), size);
    }
}
