//! Contexts, Dockerfiles and sources from servers, with the real binary and servers on the loopback (D012, D035, D085
//! to D092, D154 to D157, B095).

use std::fs;
use std::sync::{Arc, Mutex};

use testkit::{GitServer, HttpServer, Response, TarWriter};

use crate::build_project::{Project, file_digest, outcomes};

const DOCKERFILE: &str = "FROM busybox\nCOPY . /x/\n";

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = TarWriter::default();
    for (name, content) in files {
        tar.file(name, 0o644, content.as_bytes());
    }
    tar.finish()
}

/// A server that has these files, with an entity tag each.
fn files(files: Vec<(&'static str, Vec<u8>)>) -> HttpServer {
    HttpServer::serving(move |request| {
        let Some((name, body)) = files.iter().find(|(name, _)| *name == request.path) else {
            return Response::status(404);
        };
        let tag = format!("\"{name}\"");
        if request.header("if-none-match") == Some(&tag) {
            return Response::status(304);
        }
        Response::ok(body.clone()).header("ETag", &tag).header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
    })
}

/// Repositories behind a server; `None` where there is no git.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
fn repositories(test: &str) -> Option<(GitServer, HttpServer)> {
    if !GitServer::is_available() {
        eprintln!("skipped: requires git: {test}");
        return None;
    }
    let git = GitServer::new();
    let folder = git.folder();
    Some((git, HttpServer::serving(move |request| GitServer::answer(&folder, request))))
}

#[test]
fn d154_an_archive_or_a_dockerfile_behind_a_url() {
    let context = tar(&[
        ("Dockerfile", DOCKERFILE),
        ("a", "1"),
        (".dockerignore", "Dockerfile\n"),
        ("web", "FROM busybox\nCOPY a /w\n"),
    ]);
    let server = files(vec![("/context.tar", context), ("/Dockerfile", b"FROM busybox\nENV A=b\n".to_vec())]);
    let project = Project::new();
    let url = server.url("/context.tar");
    let built = project.onggi(["build", "-t", "app", &url]).run().success();
    assert!(built.stderr.contains("[internal] load remote build context"), "{}", built.stderr);
    assert_eq!(project.names("app", "x"), [".dockerignore", "a", "web"]);
    server.seen();
    // The next build asks whether it is still the same, and that is all.
    assert_eq!(outcomes(&project.onggi(["build", "-t", "app", &url]).run().success()), ["CACHED"; 2]);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].header("if-none-match")), (1, Some("\"/context.tar\"")));
    project.onggi(["build", "-t", "web", "-f", "web", &url]).run().success();
    assert_eq!(project.image("web").tree["w"].kind, file_digest("1"));
    project.onggi(["build", "-t", "alone", &server.url("/Dockerfile")]).run().success();
    assert!(project.config("alone")["Env"].to_string().contains("A=b"));
}

#[test]
fn d012_b002_a_dockerfile_behind_a_url_with_a_context_here() {
    let server = files(vec![("/Dockerfile", b"FROM busybox\nCOPY a /fetched\n".to_vec())]);
    let project = Project::new();
    project.file("a", "here");
    project.build(&["-t", "app", "-f", &server.url("/Dockerfile")]).run().success();
    assert_eq!(project.image("app").tree["fetched"].kind, file_digest("here"));
    let failed = project.build(&["-f", &server.url("/nope")]).run().exits(1);
    assert!(failed.stderr.contains("the server answered 404 (Not Found)"), "{}", failed.stderr);
}

#[test]
fn d085_d088_add_from_a_server() {
    let server = files(vec![("/tool", b"#!/bin/sh\n".to_vec())]);
    let url = server.url("/tool");
    let project = Project::with(&format!("FROM busybox\nADD --chmod=755 {url} /bin/tool\nADD {url} /opt/\n"));
    project.build_app();
    let tree = project.image("app").tree;
    assert_eq!((tree["bin/tool"].mode & 0o7777, tree["opt/tool"].mode & 0o7777), (0o755, 0o600));
    assert_eq!(tree["opt/tool"].kind, file_digest("#!/bin/sh\n"));
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 3]);
    let digest = testkit::checker::digest(b"other");
    project.dockerfile(&format!("FROM busybox\nADD --checksum={digest} {url} /x\n"));
    let failed = project.build(&[]).run().exits(1);
    assert!(failed.stderr.contains("does not have the digest that was expected"), "{}", failed.stderr);
    assert!(failed.stderr.contains("Dockerfile:2"), "{}", failed.stderr);
}

#[test]
fn d155_d156_a_repository_as_the_context() {
    let Some((git, server)) = repositories("d155_d156_a_repository_as_the_context") else { return };
    let project = Project::new();
    git.init("app").write("app", "Dockerfile", DOCKERFILE).write("app", "a", "1").write(
        "app",
        "docker/web",
        "FROM busybox\nCOPY b /y\n",
    );
    git.write("app", "docker/b", "2")
        .write("app", ".dockerignore", "Dockerfile\n.dockerignore\n")
        .write("app", "run.sh", "x");
    let first = git.commit("app");
    git.git("app", &["tag", "v1"]);
    git.write("app", "a", "changed");
    git.commit("app");
    let url = server.url("/app.git");
    let built = project.onggi(["build", "-t", "app", &url]).run().success();
    assert!(built.stderr.contains(&format!("[internal] load git source {url}")), "{}", built.stderr);
    assert_eq!(project.names("app", "x"), ["a", "docker/", "docker/b", "docker/web", "run.sh"]);
    assert_eq!(project.image("app").tree["x/a"].kind, file_digest("changed"));
    for reference in ["#v1", &format!("#{first}"), "?tag=v1", &format!("?commit={first}"), &format!("#{}", &first[..9])]
    {
        project.onggi(["build", "-t", "old", &format!("{url}{reference}")]).run().success();
        assert_eq!(project.image("old").tree["x/a"].kind, file_digest("1"), "{reference}");
    }
    // Asked for by its whole digest, a commit that is here is built from without a server.
    server.seen();
    project.onggi(["build", "-t", "old", &format!("{url}#{first}")]).run().success();
    assert!(server.seen().is_empty());
    for context in [format!("{url}#v1:docker"), format!("{url}?tag=v1&subdir=docker")] {
        project.onggi(["build", "-t", "sub", "-f", "web", &context]).run().success();
        assert_eq!(project.image("sub").tree["y"].kind, file_digest("2"), "{context}");
    }
    project.onggi(["build", "-t", "kept", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", &url]).run().success();
    assert!(project.names("kept", "x").contains(&".git/".to_owned()), "D036");
    // The same tree from the same commit gives the same image, whenever and wherever it is fetched.
    let other = Project::new();
    other.onggi(["build", "-t", "app", &url]).run().success();
    assert_eq!(other.image("app").diff_ids, project.image("app").diff_ids);
}

/// Whoever starts us may ignore the ends of children (`nohup` scripts, some supervisors), and so do we then.
#[test]
fn d089_git_works_where_the_ends_of_children_are_ignored() {
    let Some((git, server)) = repositories("d089_git_works_where_the_ends_of_children_are_ignored") else { return };
    git.init("app").write("app", "a", "1");
    git.commit("app");
    let url = server.url("/app.git");
    let project = Project::with(&format!("FROM busybox\nADD {url} /x\n"));
    let ignoring = |command: testkit::Command| command.wrapped("env", ["--ignore-signal=CHLD"]).run();
    ignoring(project.onggi(["build", "-t", "app", "."])).success();
    assert_eq!(project.names("app", "x"), ["a"]);
    // What git says when it fails is told as well.
    let failed = ignoring(project.onggi(["build", &format!("{url}#nope")])).exits(1);
    assert!(failed.stderr.contains("has no branch, tag or commit `nope`"), "{}", failed.stderr);
}

#[test]
fn d035_b095_the_time_of_the_context() {
    let Some((git, server)) = repositories("d035_b095_the_time_of_the_context") else { return };
    let project = Project::new();
    git.init("app").write("app", "Dockerfile", "FROM busybox\nENV A=b\n");
    git.commit("app");
    let epoch = ["build", "-t", "app", "--build-arg", "SOURCE_DATE_EPOCH=context"];
    project.onggi(epoch.iter().copied().chain([server.url("/app.git").as_str()])).run().success();
    assert_eq!(project.inspect("app")["Created"], "2023-11-14T22:13:20Z");
    let archive = files(vec![("/c.tar", tar(&[("Dockerfile", "FROM busybox\nENV A=c\n")]))]);
    project.onggi(epoch.iter().copied().chain([archive.url("/c.tar").as_str()])).run().success();
    assert_eq!(project.inspect("app")["Created"], "2023-11-14T22:13:20Z");
    project.dockerfile("FROM busybox\n");
    let failed = project.onggi(epoch.iter().copied().chain(["."])).run().exits(1);
    assert!(failed.stderr.contains("the build context has no time of its own"), "{}", failed.stderr);
    // The same by the environment.
    let by_environment =
        |context: &str| project.onggi(["build", "-t", "app", context]).env("SOURCE_DATE_EPOCH", "context");
    by_environment(&server.url("/app.git")).run().success();
    assert_eq!(project.inspect("app")["Created"], "2023-11-14T22:13:20Z");
    assert!(by_environment(".").run().exits(1).stderr.contains("has no time of its own"));
    // What the hint says works in a working copy.
    let typed = failed.stderr.split('`').find(|text| text.starts_with("--build-arg")).unwrap().to_owned();
    let typed =
        format!("git config --global safe.directory '*'; {} build -t app {typed} .", testkit::binary().display());
    let copied = project.sandbox.command("sh").cwd(git.path("app")).arguments(["-c", &typed]);
    copied.run().success();
    assert_eq!(project.inspect("app")["Created"], "2023-11-14T22:13:20Z");
}

#[test]
fn d089_add_of_a_repository_with_submodules() {
    let Some((git, server)) = repositories("d089_add_of_a_repository_with_submodules") else { return };
    git.init("lib").write("lib", "l", "1");
    git.commit("lib");
    git.init("app").write("app", "a", "1");
    git.git("app", &["submodule", "--quiet", "add", &server.url("/lib.git"), "deps"]);
    git.commit("app");
    let url = server.url("/app.git");
    let project = Project::with(&format!("FROM busybox\nADD {url} /x\nADD {url}?submodules=false /y\n"));
    project.build_app();
    assert_eq!(project.names("app", "x"), [".gitmodules", "a", "deps/", "deps/l"]);
    assert_eq!(project.names("app", "y"), [".gitmodules", "a", "deps/"]);
    assert_eq!(outcomes(&project.build_app()), ["CACHED"; 3]);
}

#[test]
fn a17_hostile_repositories() {
    let Some((git, server)) = repositories("a17_hostile_repositories") else { return };
    let project = Project::new();
    git.init("evil").write("evil", "Dockerfile", DOCKERFILE);
    std::os::unix::fs::symlink("/", git.path("evil").join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", git.path("evil").join("outside")).unwrap();
    git.write("evil", "odd/.dockerignore", "").write("evil", "Case", "1").write("evil", "case", "2");
    git.commit("evil");
    let url = server.url("/evil.git");
    for (context, expected) in [
        (format!("{url}#main:../.."), "is not a folder of the repository"),
        (format!("{url}#main:link"), "has no folder `link`"),
        (format!("{url}#main:link/etc"), "has no folder `link/etc`"),
        (format!("{url}#--upload-pack=x"), "is not a name of a branch, tag or commit"),
        (format!("{url}#nope"), "has no branch, tag or commit `nope`"),
        ("ssh://-oProxyCommand=x/y".to_owned(), "is not a valid URL of a git repository"),
        (server.url("/missing.git"), "was not found"),
        ("file:///etc".to_owned(), "is a file of this machine"),
        (format!("{url}?ref=a#b"), "names two values for the ref"),
        (format!("{url}?zzz=a"), "is not known"),
    ] {
        let failed = project.onggi(["build", &context]).run().exits(1);
        assert!(failed.stderr.contains(expected), "{context}: {}", failed.stderr);
        assert!(failed.stderr.contains("\nhint: "), "{context}: {}", failed.stderr);
    }
    // Links of the repository are links, and lead nowhere outside.
    project.onggi(["build", "-t", "app", &url]).run().success();
    assert!(project.names("app", "x").contains(&"link".to_owned()));
    let text = "FROM busybox\nCOPY outside/passwd /stolen\n";
    let failed = project.onggi(["build", "-f-", &url]).stdin(text).run().exits(1);
    assert!(failed.stderr.contains("`outside/passwd` is not in the build context"), "{}", failed.stderr);
}

#[test]
fn d155_without_git_the_hint_says_how_to_get_it() {
    let project = Project::new();
    let command = project.onggi(["build", "https://example.com/x.git"]).env("PATH", "/nowhere");
    let failed = command.run().exits(1);
    assert!(failed.stderr.contains("error: git is not installed\nhint: install it"), "{}", failed.stderr);
}

#[test]
fn d092_a_password_in_a_url_is_sent_and_never_shown() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let server = HttpServer::serving(move |request| {
        noted.lock().unwrap().push(request.header("authorization").map(str::to_owned));
        if request.header("authorization").is_some() { Response::ok("1") } else { Response::status(401) }
    });
    let url = server.url("/x");
    let secret = url.replace("http://", "http://me:canary@");
    let project = Project::with(&format!("FROM busybox\nADD {secret} /x\n"));
    let built = project.build_app();
    assert_eq!(*seen.lock().unwrap(), [Some("Basic bWU6Y2FuYXJ5".to_owned())]);
    let history = project.history("app").join("\n");
    assert!(!format!("{}{history}", built.stderr).contains("canary"), "{}{history}", built.stderr);
    project.dockerfile(&format!("FROM busybox\nADD {} /x\nCOPY nope /\n", secret.replace("/x", "/y z/")));
    let failed = project.build(&[]).run().exits(1);
    assert!(!failed.stderr.contains("canary"), "{}", failed.stderr);
    project.dockerfile(&format!("FROM busybox\nADD {url} /x\n"));
    let failed = project.build(&[]).run().exits(1);
    assert!(failed.stderr.contains("401 (Unauthorized)"), "{}", failed.stderr);
    assert!(failed.stderr.contains("--secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN"), "{}", failed.stderr);
    for folder in ["remotes", "steps", "builds", "logs"] {
        for entry in walk(&project.sandbox.root().join(folder)) {
            let content = fs::read(&entry).unwrap();
            assert!(!content.windows(6).any(|window| window == b"canary"), "{}", entry.display());
        }
    }
}

#[test]
fn d092_d157_secrets_of_the_build_open_servers_and_leave_no_trace() {
    let Some((git, _)) = repositories("d092_d157_secrets_of_the_build_open_servers_and_leave_no_trace") else { return };
    git.init("app").write("app", "Dockerfile", DOCKERFILE).write("app", "a", "1");
    git.commit("app");
    let folder = git.folder();
    let server = HttpServer::serving(move |request| match (request.path.as_str(), request.header("authorization")) {
        ("/file", Some("Bearer canary-file")) => Response::ok("2"),
        // The name `x-access-token` and the token.
        (_, Some("Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LWdpdA==")) => GitServer::answer(&folder, request),
        _ => Response::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let (url, repository) = (server.url("/file"), server.url("/app.git"));
    let project = Project::new();
    let secrets =
        ["--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,env=FILE_TOKEN", "--secret", "id=GIT_AUTH_TOKEN,src=token"];
    project.file("token", "canary-git\n");
    let build = |rest: &[&str], text: &str| {
        let words = [&["build", "-t", "app"], &secrets[..], rest].concat();
        project.onggi(words).env("FILE_TOKEN", "canary-file").stdin(text).run()
    };
    let text = format!("FROM busybox\nADD {url} /f\nADD {repository} /x\n");
    let built = build(&["-f-", "."], &text).success();
    assert_eq!(project.image("app").tree["f"].kind, file_digest("2"));
    let context = build(&[&repository], "").success();
    assert_eq!(project.names("app", "x"), ["Dockerfile", "a"]);
    assert!(!format!("{}{}", built.stderr, context.stderr).contains("canary"));
    for path in walk(&project.sandbox.root()) {
        let content = fs::read(&path).unwrap();
        assert!(!content.windows(7).any(|window| window == b"canary-"), "{}", path.display());
    }
    // Without them, the hints say which to give.
    let project = Project::new();
    let failed = project.onggi(["build", &repository]).run().exits(1);
    assert!(failed.stderr.contains("cannot be read without credentials"), "{}", failed.stderr);
    assert!(failed.stderr.contains("--secret id=GIT_AUTH_TOKEN,env=TOKEN"), "{}", failed.stderr);
    // A list of the context's files asks the same servers (N004).
    let list = ["build", "context", "ls"];
    let failed = project.onggi([&list[..], &[&repository]].concat()).run().exits(1);
    assert!(failed.stderr.contains("--secret id=GIT_AUTH_TOKEN,env=TOKEN"), "{}", failed.stderr);
    let with_token = [&list[..], &["--secret", "id=GIT_AUTH_TOKEN,env=TOKEN", &repository]].concat();
    let listed = project.onggi(with_token).env("TOKEN", "canary-git").run().success();
    assert!(listed.stdout.ends_with("a\n"), "{}", listed.stdout);
    let missing = project.onggi([&list[..], &["--ssh", "x=nope", "."]].concat()).run().exits(1);
    assert!(missing.stderr.contains("nope"), "{}", missing.stderr);
    let missing = ["build", "--secret", "id=GIT_AUTH_TOKEN,src=nope", &repository];
    assert!(project.onggi(missing).run().exits(1).stderr.contains("nope"));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn contexts_from_servers_that_are_none() {
    let whole = tar(&[("a", "1")]);
    let server = files(vec![
        ("/torn.tar", whole[..700].to_vec()),
        ("/none.tar", whole),
        ("/zip", b"PK\x03\x04".iter().copied().chain(std::iter::repeat_n(0, 9 << 20)).collect()),
    ]);
    let project = Project::new();
    for (path, expected) in [
        ("/torn.tar", "cannot be read"),
        ("/none.tar", "there is no `Dockerfile` in the build context from http://"),
        ("/zip", "is a zip archive"),
        ("/nope", "the server answered 404 (Not Found)"),
    ] {
        let failed = project.onggi(["build", &server.url(path)]).run().exits(1);
        assert!(failed.stderr.contains(expected) && failed.stderr.contains("\nhint: "), "{path}: {}", failed.stderr);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failed = project.onggi(["build", &format!("http://{closed}/x.tar")]).run().exits(1);
    assert!(failed.stderr.contains(&format!("cannot connect to `{closed}`")), "{}", failed.stderr);
}
