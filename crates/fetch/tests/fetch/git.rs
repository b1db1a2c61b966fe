//! Git: what is fetched, how it is asked for, and what a hostile repository cannot do (field notes, row 17).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use fetch::{CheckedOut, Checkout, Git, GitError, Repository, Resolved, Surroundings};
use testkit::{GitServer, HttpServer, Response};

static NEVER: AtomicBool = AtomicBool::new(false);

/// Whether the test can run; says so if not.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
fn has_git(test: &str) -> bool {
    if !GitServer::is_available() {
        eprintln!("skipped: requires git: {test}");
    }
    GitServer::is_available()
}

fn surroundings() -> Surroundings {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into();
    Surroundings { path, ..Surroundings::default() }
}

/// Repositories behind a server.
struct Lab {
    git: GitServer,
    server: HttpServer,
}

impl Lab {
    fn new() -> Self {
        let git = GitServer::new();
        let folder = git.folder();
        let server = HttpServer::serving(move |request| GitServer::answer(&folder, request));
        Self { git, server }
    }

    fn url(&self, name: &str) -> String {
        self.server.url(&format!("/{name}.git"))
    }
}

fn repository(remote: &str) -> Repository<'_> {
    Repository { remote, authorization: None, cancelled: &NEVER }
}

fn resolve(remote: &str, reference: Option<&str>) -> Result<Resolved, GitError> {
    let surroundings = surroundings();
    let scratch = tempfile::tempdir().unwrap();
    let place = || Ok::<PathBuf, GitError>(scratch.path().to_owned());
    Git::new(&surroundings).resolve(&repository(remote), reference, place)
}

fn wanted(commit: &str) -> Checkout<'_> {
    Checkout { commit, reference: None, by_commit: false, keep_git_dir: false, submodules: true }
}

fn checkout(remote: &str, wanted: &Checkout<'_>, folder: &Path) -> Result<CheckedOut, GitError> {
    Git::new(&surroundings()).checkout(&repository(remote), wanted, folder)
}

/// All paths below a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            names.push(path.strip_prefix(folder).unwrap().display().to_string());
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    names.sort();
    names
}

#[test]
fn d155_branches_tags_and_commits() {
    if !has_git("d155_branches_tags_and_commits") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("app").write("app", "a", "1");
    let first = lab.git.commit("app");
    lab.git.git("app", &["tag", "--annotate", "--message=t", "v1"]);
    lab.git.git("app", &["branch", "old"]);
    lab.git.write("app", "a", "2");
    let second = lab.git.commit("app");
    let url = lab.url("app");
    for (reference, commit, full) in [
        (None, &second, Some("refs/heads/main")),
        (Some("main"), &second, Some("refs/heads/main")),
        (Some("refs/heads/old"), &first, Some("refs/heads/old")),
        (Some("v1"), &first, Some("refs/tags/v1")),
        (Some(first.as_str()), &first, None),
        (Some(&first[..8]), &first, None),
    ] {
        let found = resolve(&url, reference).unwrap();
        assert_eq!((&found.commit, found.reference.as_deref()), (commit, full), "{reference:?}");
    }
    for reference in ["nope", "abcdef12"] {
        let error = resolve(&url, Some(reference)).unwrap_err().to_string();
        assert_eq!(error, format!("`{url}` has no branch, tag or commit `{reference}`"));
    }
    // Asked for by its digest alone: nothing is asked of the server.
    assert_eq!(resolve("http://127.0.0.1:1/x.git", Some(&first)).unwrap().commit, first);
    for (by_commit, reference) in [(false, None), (false, Some("refs/tags/v1")), (true, Some("refs/heads/old"))] {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Checkout { reference, by_commit, ..wanted(&first) };
        let out = checkout(&url, &wanted, folder.path()).unwrap();
        assert_eq!(fs::read(out.tree.join("a")).unwrap(), b"1");
        assert_eq!((names(&out.tree), out.time), (vec!["a".to_owned()], 1_700_000_000));
    }
}

#[test]
fn a_server_that_gives_files_only_is_enough() {
    if !has_git("a_server_that_gives_files_only_is_enough") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("app").write("app", "a", "1");
    let first = lab.git.commit("app");
    lab.git.write("app", "a", "2");
    lab.git.commit("app");
    lab.git.git("app", &["update-server-info"]);
    let folder = lab.git.path("app").join(".git");
    let files = HttpServer::serving(move |request| {
        let path = request.path.split('?').next().unwrap().trim_start_matches("/app.git/").to_owned();
        fs::read(folder.join(path)).map_or_else(|_| Response::status(404), Response::ok)
    });
    let url = files.url("/app.git");
    assert!(resolve(&url, None).is_ok());
    let out = tempfile::tempdir().unwrap();
    let out = checkout(&url, &Checkout { reference: Some("refs/heads/main"), ..wanted(&first) }, out.path()).unwrap();
    assert_eq!(fs::read(out.tree.join("a")).unwrap(), b"1", "an older commit than the branch has now");
}

#[test]
fn d090_the_git_folder_is_kept_where_that_is_wanted() {
    if !has_git("d090_the_git_folder_is_kept_where_that_is_wanted") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("app").write("app", "a", "1");
    let commit = lab.git.commit("app");
    lab.git.git("app", &["tag", "v1"]);
    let url = lab.url("app");
    let folder = tempfile::tempdir().unwrap();
    let wanted = Checkout { keep_git_dir: true, reference: Some("refs/tags/v1"), ..wanted(&commit) };
    let out = checkout(&url, &wanted, folder.path()).unwrap();
    let inside = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).current_dir(&out.tree).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(inside(&["-c", "safe.directory=*", "rev-parse", "HEAD"]), commit);
    assert_eq!(inside(&["-c", "safe.directory=*", "describe", "--tags"]), "v1");
    assert_eq!(inside(&["-c", "safe.directory=*", "remote", "get-url", "origin"]), url);
    assert_eq!(inside(&["-c", "safe.directory=*", "status", "--porcelain"]), "");
    let config = fs::read_to_string(out.tree.join(".git/config")).unwrap();
    assert!(!config.contains(folder.path().to_str().unwrap()), "{config}");
    assert!(!out.tree.join(".git/FETCH_HEAD").exists() && !out.tree.join(".git/hooks").exists());
}

#[test]
fn d089_submodules_come_along_unless_they_are_not_wanted() {
    if !has_git("d089_submodules_come_along_unless_they_are_not_wanted") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("lib").write("lib", "l", "1");
    lab.git.commit("lib");
    lab.git.init("app").write("app", "a", "1");
    lab.git.git("app", &["submodule", "--quiet", "add", &lab.url("lib"), "deps/lib"]);
    let commit = lab.git.commit("app");
    let get = |submodules| {
        let folder = tempfile::tempdir().unwrap();
        let out = checkout(&lab.url("app"), &Checkout { submodules, ..wanted(&commit) }, folder.path()).unwrap();
        names(&out.tree).join(" ")
    };
    assert_eq!(get(true), ".gitmodules a deps deps/lib deps/lib/.git deps/lib/l");
    assert_eq!(get(false), ".gitmodules a deps deps/lib");
}

/// CVE-2022-39253 and the like: a submodule that is a path of this machine.
#[test]
fn a17_a_submodule_with_a_file_url_is_refused() {
    if !has_git("a17_a_submodule_with_a_file_url_is_refused") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("secret").write("secret", "sentinel", "1");
    lab.git.commit("secret");
    let path = lab.git.path("secret").display().to_string();
    for (name, url) in [("one", format!("file://{path}")), ("two", path.clone()), ("three", "ext::sh -c id".to_owned())]
    {
        lab.git.init(name).write(name, "a", "1");
        let modules = format!("[submodule \"s\"]\n\tpath = s\n\turl = {url}\n");
        lab.git.write(name, ".gitmodules", modules);
        let inside = lab.git.git("secret", &["rev-parse", "HEAD"]).trim().to_owned();
        lab.git.git(name, &["update-index", "--add", "--cacheinfo", &format!("160000,{inside},s")]);
        lab.git.git(name, &["add", ".gitmodules", "a"]);
        lab.git.git(name, &["commit", "--quiet", "--message=x"]);
        let commit = lab.git.git(name, &["rev-parse", "HEAD"]).trim().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let failed = checkout(&lab.url(name), &wanted(&commit), folder.path()).unwrap_err();
        assert!(matches!(failed, GitError::Transport { .. } | GitError::Failed { .. }), "{url}: {failed:?}");
        assert!(!names(folder.path()).iter().any(|name| name.ends_with("sentinel")), "{url}");
    }
}

#[test]
fn a17_nothing_of_a_repository_or_of_this_machines_settings_is_run() {
    if !has_git("a17_nothing_of_a_repository_or_of_this_machines_settings_is_run") {
        return;
    }
    let lab = Lab::new();
    let home = tempfile::tempdir().unwrap();
    let witness = home.path().join("witness");
    let script = home.path().join("script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", witness.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = script.display();
    fs::write(
        home.path().join(".gitconfig"),
        format!(
            "[filter \"f\"]\n\tsmudge = {path}\n[core]\n\tfsmonitor = {path}\n\thooksPath = {}\n",
            home.path().display()
        ),
    )
    .unwrap();
    fs::copy(&script, home.path().join("post-checkout")).unwrap();
    lab.git.init("app").write("app", "a", "1").write("app", ".gitattributes", "* filter=f\n");
    // As files of the tree these are only files.
    lab.git.write("app", "hooks/post-checkout", fs::read(&script).unwrap()).write("app", "config", "[core]\n");
    let commit = lab.git.commit("app");
    let surroundings = Surroundings { home: Some(home.path().to_owned()), ..surroundings() };
    let folder = tempfile::tempdir().unwrap();
    Git::new(&surroundings).checkout(&repository(&lab.url("app")), &wanted(&commit), folder.path()).unwrap();
    assert!(!witness.exists());
}

#[test]
fn a17_links_of_a_repository_are_links_and_names_that_mean_git_are_refused() {
    if !has_git("a17_links_of_a_repository_are_links_and_names_that_mean_git_are_refused") {
        return;
    }
    let lab = Lab::new();
    lab.git.init("app").write("app", "a", "1");
    symlink("/", lab.git.path("app").join("link")).unwrap();
    let commit = lab.git.commit("app");
    let folder = tempfile::tempdir().unwrap();
    let out = checkout(&lab.url("app"), &wanted(&commit), folder.path()).unwrap();
    assert_eq!(fs::read_link(out.tree.join("link")).unwrap(), Path::new("/"));
    // `.GIT` is `.git` on some file systems, and a tree with it would be taken for a repository's own folder there.
    let blob = lab.git.git("app", &["hash-object", "-w", "a"]).trim().to_owned();
    lab.git.write("app", "tree", format!("100644 blob {blob}\t.GIT\n"));
    let folder = lab.git.path("app");
    let script = "git mktree < tree";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    let tree = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    if !tree.is_empty() {
        let commit = lab.git.git("app", &["commit-tree", "-m", "x", &tree]).trim().to_owned();
        lab.git.git("app", &["update-ref", "refs/heads/bad", &commit]);
        let folder = tempfile::tempdir().unwrap();
        let failed = checkout(&lab.url("app"), &wanted(&commit), folder.path()).unwrap_err();
        assert!(matches!(failed, GitError::Failed { .. }), "{failed:?}");
    }
}

#[test]
fn d092_credentials_are_sent_to_the_host_and_seen_nowhere() {
    if !has_git("d092_credentials_are_sent_to_the_host_and_seen_nowhere") {
        return;
    }
    let git = GitServer::new();
    git.init("app").write("app", "a", "1");
    let commit = git.commit("app");
    let folder = git.folder();
    let server = HttpServer::serving(move |request| match request.header("authorization") {
        Some("basic canary") => GitServer::answer(&folder, request),
        _ => Response::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let url = server.url("/app.git");
    let error = resolve(&url, None).unwrap_err();
    assert!(matches!(error, GitError::Unauthorized { .. }), "{error:?}");
    let allowed = Repository { authorization: Some("basic canary"), ..repository(&url) };
    assert!(!format!("{allowed:?}").contains("canary"));
    let surroundings = surroundings();
    let out = tempfile::tempdir().unwrap();
    let wanted = Checkout { keep_git_dir: true, ..wanted(&commit) };
    let out = Git::new(&surroundings).checkout(&allowed, &wanted, out.path()).unwrap();
    for name in names(&out.tree) {
        let content = fs::read(out.tree.join(&name)).unwrap_or_default();
        assert!(!content.windows(6).any(|window| window == b"canary"), "{name}");
    }
    // A redirect would tell another host.
    let other = HttpServer::serving(|_| Response::status(401));
    let target = other.url("");
    let away = HttpServer::serving(move |request| {
        Response::status(302).header("Location", &format!("{target}{}", request.path))
    });
    let away_url = away.url("/app.git");
    let redirected = Repository { authorization: Some("basic canary"), ..repository(&away_url) };
    let place = || Ok::<PathBuf, GitError>(PathBuf::new());
    assert!(Git::new(&surroundings).resolve(&redirected, None, place).is_err());
    assert!(other.seen().is_empty(), "{:?}", other.seen());
}

#[test]
fn d157_ssh_uses_the_agent_that_is_given_and_no_key_or_setting_of_its_own() {
    if !has_git("d157_ssh_uses_the_agent_that_is_given_and_no_key_or_setting_of_its_own") {
        return;
    }
    let git = GitServer::new();
    git.init("app").write("app", "a", "1");
    let commit = git.commit("app");
    let bin = tempfile::tempdir().unwrap();
    let log = bin.path().join("log");
    // In the place of ssh: what is asked of the server is run here.
    let script = format!(
        "#!/bin/sh\necho \"agent=$SSH_AUTH_SOCK $*\" >> {}\nfor last; do :; done\nexec sh -c \"$last\"\n",
        log.display()
    );
    fs::write(bin.path().join("ssh"), script).unwrap();
    fs::set_permissions(bin.path().join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut path = bin.path().as_os_str().to_owned();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    let surroundings = Surroundings {
        path,
        home: Some(PathBuf::from("/home/me")),
        ssh_agent: Some(PathBuf::from("/run/agent")),
        ..Surroundings::default()
    };
    let remote = format!("git@example.com:{}", git.path("app").display());
    let place = || Ok::<PathBuf, GitError>(PathBuf::new());
    let found = Git::new(&surroundings).resolve(&repository(&remote), None, place).unwrap();
    assert_eq!(found.commit, commit);
    let said = fs::read_to_string(log).unwrap();
    for part in [
        "agent=/run/agent",
        "-F /dev/null",
        "BatchMode=yes",
        "IdentityFile=none",
        "/home/me/.ssh/known_hosts",
        "git@example.com",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn repositories_that_are_not_there() {
    let unset = Surroundings { path: "/nowhere".into(), ..Surroundings::default() };
    let place = || Ok::<PathBuf, GitError>(PathBuf::new());
    let missing = Git::new(&unset).resolve(&repository("http://127.0.0.1:1/x.git"), None, place);
    assert!(matches!(missing, Err(GitError::Missing)));
    if !has_git("repositories_that_are_not_there") {
        return;
    }
    let lab = Lab::new();
    assert!(matches!(resolve(&lab.url("nope"), None), Err(GitError::NotFound { .. })));
    lab.git.init("empty");
    assert!(matches!(resolve(&lab.url("empty"), None), Err(GitError::NoDefault { .. })));
    assert!(matches!(resolve("http://127.0.0.1:1/x.git", None), Err(GitError::Failed { .. })));
    let cancelled = AtomicBool::new(true);
    let url = lab.url("empty");
    let unwanted = Repository { cancelled: &cancelled, ..repository(&url) };
    assert!(matches!(Git::new(&surroundings()).resolve(&unwanted, None, place), Err(GitError::Cancelled)));
}
