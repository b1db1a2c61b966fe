//! ADD from servers: what is fetched, what becomes of it, and what is not asked for again (D085 to D092).

use crate::kitchen::{Kitchen, Outcome};
use crate::servers::ServedFile;

const URL: &str = "https://example.com/dir/file.txt";
const REPOSITORY: &str = "https://example.com/app.git";

fn dated(body: &str, etag: &str) -> ServedFile {
    ServedFile {
        body: body.into(),
        etag: Some(etag.to_owned()),
        last_modified: Some("Tue, 14 Nov 2023 22:13:20 GMT".to_owned()),
        content_disposition: None,
    }
}

/// Whether every step was found.
fn is_cached(built: &Outcome<'_>) -> bool {
    built.id();
    built.steps().lines().all(|line| line.starts_with("CACHED"))
}

#[test]
fn d085_a_file_is_its_owners_and_as_old_as_the_server_says() {
    let kitchen = Kitchen::new();
    kitchen.servers.serve(URL, dated("hello", "1"));
    let built = kitchen.build(&format!("FROM base\nADD {URL} /x"));
    assert_eq!(built.changes(), "/x 600 \"hello\"");
    assert!(built.text().contains(&format!("{URL}\n  downloading 5B\n  DONE\n")), "{}", built.text());
    assert_eq!(built.history(), format!("ADD {URL} /x # buildkit"));
    let tree = image::Stack::open(&kitchen.store, &built.layers()).unwrap().tree();
    let node = tree.lookup(b"x").unwrap().unwrap();
    assert_eq!(tree.entry(&node, b"x").unwrap().metadata.mtime.secs, 1_700_000_000);
    // Without a date it is as old as can be.
    kitchen.servers.file("https://example.com/y", "y");
    let layers = kitchen.build("FROM base\nADD https://example.com/y /y").layers();
    let tree = image::Stack::open(&kitchen.store, &layers).unwrap().tree();
    let node = tree.lookup(b"y").unwrap().unwrap();
    assert_eq!(tree.entry(&node, b"y").unwrap().metadata.mtime.secs, 0);
}

#[test]
fn d085_the_name_in_a_folder_is_the_urls_or_the_servers() {
    let kitchen = Kitchen::new();
    kitchen.servers.file(URL, "1");
    let named = ServedFile { content_disposition: Some("attachment; filename=real".to_owned()), ..dated("2", "2") };
    kitchen.servers.serve("https://example.com/get?id=7", named.clone());
    kitchen.servers.serve("https://example.com/?id=7", named);
    kitchen.servers.file("https://example.com/", "3");
    for (line, expected) in [
        ("ADD https://example.com/dir/file.txt /d/", "/d/ 755\n/d/file.txt 600 \"1\""),
        ("WORKDIR /w\nADD https://example.com/dir/file.txt .", "/w/ 755\n/w/file.txt 600 \"1\""),
        ("ADD https://example.com/get?id=7 /d/", "/d/ 755\n/d/get 600 \"2\""),
        ("ADD https://example.com/?id=7 /d/", "/d/ 755\n/d/real 600 \"2\""),
        ("ADD https://example.com/get?id=7 /d", "/d 600 \"2\""),
        // A folder that is there counts as one, however it is written.
        ("ADD https://example.com/dir/file.txt /srv", "/srv/file.txt 600 \"1\""),
        ("ADD https://example.com/ /d", "/d 600 \"3\""),
        ("ADD --chmod=755 --chown=7 https://example.com/dir/file.txt /x", "/x 755 \"1\" 7:7"),
    ] {
        assert_eq!(kitchen.build(&format!("FROM base\n{line}")).changes(), expected, "{line}");
    }
    assert_eq!(
        kitchen.build("FROM base\nADD https://example.com/ /d/").error(),
        "line 2: `https://example.com/` does not say how its file is called\n  help: write the name of the file as the \
         destination, without a slash at its end"
    );
}

#[test]
fn d085_d093_a_file_that_did_not_change_is_a_hit_and_not_sent_again() {
    let kitchen = Kitchen::new();
    kitchen.servers.serve(URL, dated("1", "v1"));
    let file = format!("FROM base\nADD {URL} /x\nRUN write /y z");
    assert_eq!(kitchen.build(&file).calls(), "/bin/sh -c write /y z");
    assert_eq!(kitchen.servers.asked(), format!("GET {URL}"));
    let snapshot = kitchen.snapshot();
    let again = kitchen.build(&file);
    assert_eq!((again.calls().as_str(), kitchen.servers.asked()), ("", format!("GET {URL} unless v1")));
    assert_eq!(kitchen.snapshot(), snapshot, "nothing is written");
    // Another tag with the same content, then another content.
    kitchen.servers.serve(URL, dated("1", "v2"));
    assert_eq!(kitchen.build(&file).calls(), "");
    kitchen.servers.serve(URL, dated("2", "v3"));
    assert_eq!(kitchen.build(&file).changes(), "/x 600 \"2\"\n/y 644 \"z\"");
    kitchen.servers.asked();
    // What is here is used on top of another base without being sent.
    kitchen.image("other", "o=1", "{}");
    kitchen.build(&format!("FROM other\nADD {URL} /x")).id();
    assert_eq!(kitchen.servers.asked(), format!("GET {URL} unless v3"));
    // A server that only has dates.
    kitchen.servers.serve(URL, ServedFile { etag: None, ..dated("3", "") });
    kitchen.build(&file).id();
    kitchen.servers.asked();
    assert_eq!(kitchen.build(&file).calls(), "");
    assert_eq!(kitchen.servers.asked(), format!("GET {URL} unless Tue, 14 Nov 2023 22:13:20 GMT"));
}

#[test]
fn d088_what_is_pinned_is_checked_and_known_without_asking() {
    let kitchen = Kitchen::new();
    kitchen.servers.file(URL, "hello");
    let digest = oci::Digest::of(b"hello");
    let file = format!("FROM base\nARG D={digest}\nADD --checksum=$D {URL} /x");
    assert_eq!(kitchen.build(&file).changes(), "/x 600 \"hello\"");
    kitchen.servers.asked();
    // Even a server that is gone does not matter.
    kitchen.servers.file(URL, "changed");
    assert!(is_cached(&kitchen.build(&file)));
    kitchen.build(&format!("FROM base\nRUN write /a b\nADD --checksum={digest} {URL} /x")).id();
    assert_eq!(kitchen.servers.asked(), "");
    // Nor into a folder, where the name counts.
    kitchen.build(&format!("FROM base\nADD --checksum={digest} {URL} /d/")).id();
    assert_eq!(kitchen.servers.asked(), "");
    let wrong = oci::Digest::of(b"other");
    assert_eq!(
        kitchen.build(&format!("FROM base\nADD --checksum={wrong} {URL} /x")).error(),
        format!(
            "line 2: `{URL}` does not have the digest that was expected\n  help: check who published the file; if it was \
             changed on purpose, write its new digest\n  cause: it should have {wrong}, but has {}",
            oci::Digest::of(b"changed")
        )
    );
    // Nor is a server believed that says that nothing changed.
    kitchen.servers.serve(URL, dated("hello", "1"));
    kitchen.build(&format!("FROM base\nADD {URL} /x")).id();
    let error = kitchen.build(&format!("FROM base\nADD --checksum={wrong} {URL} /x")).error();
    assert!(error.contains("does not have the digest that was expected"), "{error}");
    for (line, expected) in [
        (
            format!("ADD --checksum=abc {URL} /x"),
            "line 2: `abc` is not the digest of a file\n  help: write `--checksum=sha256:` and the 64 digits that \
             `sha256sum FILE` gives",
        ),
        (
            format!("ADD --checksum={digest} {URL} {URL}2 /x/"),
            "line 2: `--checksum` is for one source, and there are several\n  help: write an ADD for each of them",
        ),
        (
            format!("ADD --checksum={digest} a /x"),
            "line 2: `--checksum` is for what a server has, not for the context\n  help: leave it out: files of the \
             context are told apart by their content",
        ),
    ] {
        assert_eq!(kitchen.build(&format!("FROM base\n{line}")).error(), expected, "{line}");
    }
}

#[test]
fn d087_archives_of_servers_are_unpacked_only_if_that_is_said() {
    let kitchen = Kitchen::new();
    let archive = include_bytes!("archives/a.tar.gz").to_vec();
    kitchen.servers.file("https://example.com/a.tar.gz", archive);
    kitchen.servers.file(URL, "text");
    let build = |flags: &str, url: &str| kitchen.build(&format!("FROM base\nADD {flags} {url} /d/")).changes();
    let packed = build("", "https://example.com/a.tar.gz");
    assert!(packed.starts_with("/d/ 755\n/d/a.tar.gz 600"), "{packed}");
    assert_eq!(build("--unpack=false", "https://example.com/a.tar.gz"), packed);
    let unpacked = build("--unpack", "https://example.com/a.tar.gz");
    assert!(!unpacked.contains("a.tar.gz") && unpacked.lines().count() > 1, "{unpacked}");
    assert_eq!(build("--unpack=true", URL), "/d/ 755\n/d/file.txt 600 \"text\"", "what is none stays as it is");
}

#[test]
fn d089_a_repository_without_its_git_folder() {
    let kitchen = Kitchen::new();
    kitchen.servers.commit(REPOSITORY, 'a', "a=1 bin/run*=2 link->a");
    let built = kitchen.build(&format!("FROM base\nADD {REPOSITORY} /x"));
    assert_eq!(
        built.changes(),
        "/x/ 755\n/x/a 644 \"1\"\n/x/bin/ 755\n/x/bin/run 755 \"2\"\n/x/link -> a\n/x/sub/ 755\n/x/sub/s 644 \"s\"",
        "modes are git's, whatever the umask"
    );
    assert_eq!(kitchen.servers.asked(), format!("checkout {REPOSITORY} aaaa\nls-remote {REPOSITORY} HEAD"));
    // The branch did not move.
    assert!(is_cached(&kitchen.build(&format!("FROM base\nADD {REPOSITORY} /x"))));
    assert_eq!(kitchen.servers.asked(), format!("ls-remote {REPOSITORY} HEAD"));
    kitchen.servers.commit(REPOSITORY, 'b', "a=3");
    assert!(kitchen.build(&format!("FROM base\nADD {REPOSITORY} /x")).changes().contains("/x/a 644 \"3\""));
    kitchen.servers.asked();
    // A whole digest says all.
    let pinned = format!("FROM base\nADD {REPOSITORY}#{} /x", "a".repeat(40));
    assert!(is_cached(&kitchen.build(&pinned)));
    assert_eq!(kitchen.servers.asked(), "");
    assert!(kitchen.build(&format!("FROM base\nADD {REPOSITORY}#aaaa /y")).changes().contains("/y/a 644 \"1\""));
    assert_eq!(kitchen.servers.asked(), format!("ls-remote {REPOSITORY} aaaa"), "the tree is here");
}

#[test]
fn d090_d091_what_of_a_repository_is_wanted() {
    let kitchen = Kitchen::new();
    kitchen.servers.commit(REPOSITORY, 'a', "a=1 d/b=2 out->/ d/up->..");
    let check = |line: &str, expected: &str| {
        assert_eq!(kitchen.build(&format!("FROM base\nADD {line} /x")).changes(), expected, "{line}");
    };
    check(&format!("{REPOSITORY}#:d"), "/x/ 755\n/x/b 644 \"2\"\n/x/up -> ..");
    check(&format!("{REPOSITORY}?subdir=d&submodules=0"), "/x/ 755\n/x/b 644 \"2\"\n/x/up -> ..");
    let bare = "/x/ 755\n/x/a 644 \"1\"\n/x/d/ 755\n/x/d/b 644 \"2\"\n/x/d/up -> ..\n/x/out -> /";
    check(&format!("{REPOSITORY}?submodules=false"), bare);
    for line in [format!("--keep-git-dir {REPOSITORY}"), format!("{REPOSITORY}?keep-git-dir=true")] {
        let changes = kitchen.build(&format!("FROM base\nADD {line} /x")).changes();
        assert!(changes.contains("/x/.git/HEAD 644") && changes.contains("/x/sub/.git 644"), "{changes}");
    }
    // CVE-2026-33748: a folder that is a link, or behind one.
    for folder in ["out", "out/etc", "d/up", "a", "nothere"] {
        let error = kitchen.build(&format!("FROM base\nADD {REPOSITORY}#main:{folder} /x")).error();
        assert_eq!(
            error,
            format!(
                "line 2: `{REPOSITORY}` has no folder `{folder}`\n  help: name a folder of the repository, as in \
                 `#main:docker`; links are not followed"
            )
        );
    }
    for (line, expected) in [
        (
            format!("--keep-git-dir=false {REPOSITORY}?keep-git-dir=true"),
            "`--keep-git-dir` and the source contradict each other",
        ),
        (format!("--checksum=bbbb {REPOSITORY}?checksum=aaaa"), "`--checksum` and the source name two commits"),
        (format!("--checksum=xyz {REPOSITORY}"), "`xyz` is not the digest of a commit"),
        (format!("{REPOSITORY}?ref=a#b"), "names two values for the ref: `b` and `a`"),
        (format!("{REPOSITORY}#main:../.."), "`../..` is not a folder of the repository"),
    ] {
        let error = kitchen.build(&format!("FROM base\nADD {line} /x")).error();
        assert!(error.contains(expected) && error.contains("\n  help: "), "{line}: {error}");
    }
}

#[test]
fn d091_times_are_those_of_the_commit_unless_said_otherwise() {
    let kitchen = Kitchen::new();
    kitchen.servers.commit(REPOSITORY, 'a', "a=1");
    let time = |query: &str| {
        let layers = kitchen.build(&format!("FROM base\nADD {REPOSITORY}{query} /x")).layers();
        let tree = image::Stack::open(&kitchen.store, &layers).unwrap().tree();
        let node = tree.lookup(b"x/a").unwrap().unwrap();
        tree.entry(&node, b"x/a").unwrap().metadata.mtime.secs
    };
    assert_eq!((time(""), time("?mtime=commit")), (1_700_000_000, 1_700_000_000));
    assert_eq!(time("?mtime=checkout"), 1_767_225_600, "the clock of the build");
}

#[test]
fn d088_a_commit_that_is_pinned_by_its_first_digits() {
    let kitchen = Kitchen::new();
    kitchen.servers.commit(REPOSITORY, 'a', "a=1");
    assert!(kitchen.build(&format!("FROM base\nADD --checksum=aaaaaaa {REPOSITORY} /x")).changes().contains("/x/a"));
    kitchen.servers.commit(REPOSITORY, 'b', "a=2");
    let error = kitchen.build(&format!("FROM base\nADD --checksum=aaaaaaa {REPOSITORY}#main /x")).error();
    assert_eq!(
        error,
        format!(
            "line 2: `{REPOSITORY}#main` is not at the commit that was expected\n  help: check who moved it; if that was \
             on purpose, write the new digest\n  cause: main is {}, and should begin with aaaaaaa",
            "b".repeat(40)
        )
    );
    // Asked for by the commit, a branch that moved on does not matter, and nobody is asked.
    kitchen.servers.asked();
    let by_commit = format!("{REPOSITORY}?branch=main&commit={}&fetch-by-commit=true", "a".repeat(40));
    assert!(kitchen.build(&format!("FROM base\nADD {by_commit} /z")).changes().contains("/z/a 644 \"1\""));
    assert_eq!(kitchen.servers.asked(), "");
}

#[test]
fn d085_several_sources_of_several_kinds_in_order() {
    let kitchen = Kitchen::with("file.txt=local a=1");
    kitchen.servers.file(URL, "remote");
    kitchen.servers.commit(REPOSITORY, 'a', "g=2");
    let built = kitchen.build(&format!("FROM base\nADD a {URL} {REPOSITORY}?submodules=0 file.txt /d/"));
    assert_eq!(
        built.changes(),
        "/d/ 755\n/d/a 644 \"1\"\n/d/file.txt 644 \"local\"\n/d/g 644 \"2\"",
        "the later one wins"
    );
    let built = kitchen.build(&format!("FROM base\nADD a file.txt {URL} /d/"));
    assert_eq!(built.changes(), "/d/ 755\n/d/a 644 \"1\"\n/d/file.txt 600 \"remote\"");
    // No context is needed for what servers have.
    let built = kitchen.build_as(&format!("FROM base\nADD {URL} /x"), |request| request.context = None);
    assert_eq!(built.changes(), "/x 600 \"remote\"");
    // The same file twice is asked for once.
    kitchen.servers.asked();
    kitchen.build(&format!("FROM base AS one\nADD {URL} /1\nFROM base\nADD {URL} /2\nCOPY --from=one /1 /1")).id();
    assert_eq!(kitchen.servers.asked(), format!("GET {URL}"));
    let error = kitchen.build(&format!("FROM base\nCOPY {URL} /x")).error();
    assert_eq!(error, "line 2: COPY takes files of the context, not of a server\n  help: use ADD");
}

#[test]
fn d092_secrets_go_to_the_server_and_nowhere_else() {
    let kitchen = Kitchen::new();
    kitchen.servers.file(URL, "1");
    kitchen.servers.file("https://other.com/x", "2");
    kitchen.servers.commit(REPOSITORY, 'a', "a=1");
    kitchen.secret("HTTP_AUTH_TOKEN_example.com", "canary-one");
    kitchen.secret("GIT_AUTH_TOKEN", "canary-two");
    let text = format!(
        "FROM base\nADD {URL} /1\nADD https://other.com/x /2\nADD {REPOSITORY} /3\nADD https://me:canary-three@other.com/x /4"
    );
    let built = kitchen.build(&text);
    built.id();
    let asked = kitchen.servers.asked();
    assert!(asked.contains(&format!("GET {URL} as Bearer canary-one")), "{asked}");
    assert!(asked.contains("GET https://other.com/x\n") || asked.ends_with("GET https://other.com/x"), "{asked}");
    assert!(asked.contains("GET https://other.com/x as Basic "), "{asked}");
    assert!(asked.contains(&format!("ls-remote {REPOSITORY} HEAD as Basic ")), "{asked}");
    let shown = format!("{}{}{}{:?}", built.text(), built.history(), built.config(), built.events);
    assert!(!shown.contains("canary"), "{shown}");
    assert!(built.history().contains("ADD https://me:xxxxx@other.com/x /4"), "{}", built.history());
    assert_eq!(kitchen.find_in_store("canary"), Vec::<String>::new());
}

#[test]
fn servers_that_do_not_give_what_is_wanted() {
    let kitchen = Kitchen::new();
    for line in ["ADD https://example.com/nope /x", "ADD https://example.com/nope.git /x"] {
        let error = kitchen.build(&format!("FROM base\nADD https://example.com/also.git#main /x\n{line}")).error();
        assert!(error.contains("is not served\n  help: serve it"), "{error}");
    }
    let alone = kitchen.build("FROM base\nRUN write /a b\nADD https://example.com/nope /x");
    assert_eq!(alone.error(), "line 3: `https://example.com/nope` is not served\n  help: serve it");
    for (line, expected) in [
        ("ADD ftp://example.com/x /x", "`ftp://` is not a kind of source"),
        ("ADD file:///etc/passwd /x", "is a file of this machine, not a remote source"),
        ("ADD https:///x /x", "`https:///x` is not a valid URL"),
    ] {
        let error = kitchen.build(&format!("FROM base\n{line}")).error();
        assert!(error.contains(expected) && error.contains("\n  help: "), "{error}");
    }
}
