use super::{Mtime, Remote, RemoteError};

/// What a source is read as, in one line.
fn read(text: &str) -> String {
    show(Remote::parse(text))
}

fn show(parsed: Result<Remote, RemoteError>) -> String {
    match parsed {
        Ok(Remote::Http(url)) => format!("http {}", url.bare()),
        Ok(Remote::Git(source)) => {
            let mut line = format!("git {}", source.remote);
            let mut add = |name: &str, value: Option<String>| {
                line.extend(value.map(|value| format!(" {name}={value}")));
            };
            add("ref", source.reference);
            add("checksum", source.checksum);
            add("subdir", source.subdir);
            add("keep", source.keep_git_dir.map(|keep| keep.to_string()));
            add("submodules", source.submodules.map(|wanted| wanted.to_string()));
            add("mtime", source.mtime.map(|mtime| format!("{mtime:?}")));
            add("by-commit", source.fetch_by_commit.then(String::new));
            line
        }
        Err(error) => format!("{error}; {}", error.hint),
    }
}

#[test]
fn d085_d089_what_is_fetched_by_http_and_what_by_git() {
    for (text, expected) in [
        ("https://example.com/", "http https://example.com/"),
        ("https://example.com", "http https://example.com/"),
        ("http://Example.com:8080/a b?c=d#e", "http http://example.com:8080/a%20b?c=d"),
        ("https://example.com/foo.git.bar", "http https://example.com/foo.git.bar"),
        ("https://example.com/foo.git/", "http https://example.com/foo.git/"),
        ("https://[::1]:80/x", "http https://[::1]:80/x"),
        ("https://example.com/foo.git", "git https://example.com/foo.git"),
        ("https://user:pass@example.com/foo.git", "git https://example.com/foo.git"),
        ("git://example.com/foo", "git git://example.com/foo"),
        ("ssh://git@example.com:22/foo", "git ssh://git@example.com:22/foo"),
        ("git@github.com:moby/buildkit", "git git@github.com:moby/buildkit"),
        ("me.too@host:repo.git#v1", "git me.too@host:repo.git ref=v1"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn d155_the_fragment_names_ref_and_folder() {
    for (text, expected) in [
        ("#deadbeef", " ref=deadbeef"),
        ("#release/1.2", " ref=release/1.2"),
        ("#baz/qux:quux/quuz", " ref=baz/qux subdir=quux/quuz"),
        ("#:myfolder/", " subdir=myfolder"),
        ("#main:/", " ref=main"),
        ("#", ""),
        ("#a%2Fb", " ref=a/b"),
    ] {
        assert_eq!(read(&format!("https://x/r.git{text}")), format!("git https://x/r.git{expected}"), "{text}");
    }
    for short in ["github.com/moby/buildkit", "github.com/moby/buildkit.git#v1:a"] {
        assert!(show(Remote::parse_context(short)).starts_with("git https://github.com/moby/buildkit"), "{short}");
        assert!(Remote::is_meant_as_context(short) && !Remote::is_meant(short));
    }
}

#[test]
fn d091_d156_the_query_says_the_same_in_words() {
    for (text, expected) in [
        ("?ref=v1.0.0&subdir=/subdir", " ref=v1.0.0 subdir=subdir"),
        ("?tag=v1", " ref=refs/tags/v1"),
        ("?tag=refs/tags/v1", " ref=refs/tags/v1"),
        ("?branch=main&subdir=a/./b", " ref=refs/heads/main subdir=a/b"),
        ("?commit=DEADBEEF", " ref=deadbeef checksum=deadbeef"),
        ("?branch=main&checksum=deadbeef", " ref=refs/heads/main checksum=deadbeef"),
        ("?submodules=false&keep-git-dir", " keep=true submodules=false"),
        ("?keep-git-dir=0&submodules=1", " keep=false submodules=true"),
        ("?mtime=commit", " mtime=Commit"),
        ("?mtime=checkout&fetch-by-commit=true", " mtime=Checkout by-commit="),
        ("?ref=main#main", " ref=main"),
        ("?subdir=a#:a", " subdir=a"),
    ] {
        assert_eq!(read(&format!("https://x/r.git{text}")), format!("git https://x/r.git{expected}"), "{text}");
    }
    assert_eq!(read("git@x:r?ref=a"), "git git@x:r ref=a");
    let Ok(Remote::Git(source)) = Remote::parse("https://x/r.git?mtime=commit") else { panic!() };
    assert_eq!(source.mtime, Some(Mtime::Commit));
}

#[test]
fn d091_query_and_fragment_must_not_contradict_each_other() {
    for (text, expected) in [
        (
            "?ref=a#b",
            "`https://x/r.git?ref=a#b` names two values for the ref: `b` and `a`; name the ref once, behind `#` or behind `?`",
        ),
        (
            "?tag=a&branch=b",
            "`https://x/r.git?tag=a&branch=b` names two values for the ref: `refs/tags/a` and `refs/heads/b`; name the ref \
             once, behind `#` or behind `?`",
        ),
        (
            "?subdir=a#:b",
            "`https://x/r.git?subdir=a#:b` names two values for the folder: `b` and `a`; name the folder once, behind `#` \
             or behind `?`",
        ),
        (
            "?commit=abcd&checksum=abcd",
            "`checksum` is given more than once in `https://x/r.git?commit=abcd&checksum=abcd`; write `checksum=` once",
        ),
        ("?ref=", "`ref` has no value in `https://x/r.git?ref=`; write `ref=VALUE`, or leave it out"),
        ("?branhc=x", "`branhc` in `https://x/r.git?branhc=x` is not known; did you mean `branch`?"),
        (
            "?submodules=maybe",
            "`maybe` is not a value of `submodules` in `https://x/r.git?submodules=maybe`; use `submodules=true` or \
             `submodules=false`",
        ),
        (
            "?mtime=now",
            "`now` is not a value of `mtime` in `https://x/r.git?mtime=now`; use `mtime=checkout` or `mtime=commit`",
        ),
        (
            "?checksum=v1.0",
            "`v1.0` is not the digest of a commit; write its 40 hexadecimal digits, or the first of them: see `git log`",
        ),
    ] {
        assert_eq!(read(&format!("https://x/r.git{text}")), expected, "{text}");
    }
    assert!(read("https://x/r.git?zzzzzzzzzzz=1").contains("use one of `ref`, `tag`"));
}

/// Row 17 of the attacks: what git would take for an option, and ways out of the repository.
#[test]
fn d155_refs_and_folders_that_git_must_not_be_told() {
    for reference in [
        "--upload-pack=x",
        "-x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a?b",
        "@",
        "a@{1}",
        ".a",
        "a.lock",
        "a/",
        "/a",
        "a//b",
        "a\\b",
        "a.",
    ] {
        let error = read(&format!("https://x/r.git#{reference}"));
        assert!(error.contains("is not a name of a branch, tag or commit"), "{reference}: {error}");
    }
    for folder in ["..", "../..", "a/../..", "a/../../b", ".git", ".GIT/hooks"] {
        let error = read(&format!("https://x/r.git#main:{folder}"));
        assert!(error.contains("is not a folder of the repository"), "{folder}: {error}");
    }
    for text in
        ["https:///r.git", "https://-x/r.git", "ssh://-oProxyCommand=x/r", "https://x:port/r.git", "git://x", "git@x:"]
    {
        assert!(read(text).contains("is not a valid URL"), "{text}: {}", read(text));
    }
    assert!(!Remote::is_meant("-x@host:y") && !Remote::is_meant("a/b@c:d") && !Remote::is_meant("./a@b:c"));
}

#[test]
fn d085_texts_that_are_no_sources() {
    for (text, expected) in [
        ("file:///etc/passwd", "copy it into the build context and write its path"),
        ("ftp://x/y", "use `https://`, `http://`, `git://`, `ssh://` or `git@HOST:PATH`"),
        ("https://", "write it as `https://HOST[:PORT]/PATH`"),
        ("https://x:99999/", "write it as `https://HOST[:PORT]/PATH`"),
        ("https://a b/c", "write it as `https://HOST[:PORT]/PATH`"),
    ] {
        assert!(read(text).ends_with(expected), "{text}: {}", read(text));
    }
}

#[test]
fn d092_a_password_is_never_shown() {
    for text in [
        "https://user:secret@x/file",
        "https://user:secret@x/r.git#a",
        "https://secret@x/file",
        "https://user:secret@x/r.git?bogus=1",
        "https://user:secret@:/",
        "file://user:secret@x/y",
        "ssh://user:secret@x/y",
        "https://user:sec%72et@x/file",
    ] {
        let parsed = Remote::parse(text);
        let shown =
            format!("{parsed:?} {} {}", show(parsed.clone()), parsed.as_ref().map(Remote::shown).unwrap_or_default());
        assert!(!shown.contains("secret") && !shown.contains("sec%72et"), "{text}: {shown}");
    }
    let Ok(Remote::Http(url)) = Remote::parse("https://user:s%20t@x/file") else { panic!() };
    assert_eq!((url.to_string().as_str(), url.credentials()), ("https://user:xxxxx@x/file", Some("user:s t")));
}

#[test]
fn d085_the_name_of_the_file() {
    for (url, name) in [
        ("https://x/a/b.tar.gz?q=1/2", Some("b.tar.gz")),
        ("https://x/a%20b", Some("a b")),
        ("https://x/a/", Some("a")),
        ("https://x/", None),
        ("https://x", None),
        ("https://x/a%2Fb", None),
        ("https://x/%2e%2e", None),
    ] {
        let Ok(Remote::Http(url)) = Remote::parse(url) else { panic!("{url}") };
        assert_eq!(url.file_name().as_deref(), name);
    }
}

#[test]
fn d092_passwords_are_found_in_any_text() {
    use super::{hide_passwords, redacted};
    for (text, expected) in [
        ("ADD https://a:b@c/d e", "ADD https://a:xxxxx@c/d e"),
        ("https://token@c https://a:b:c@d/e@f", "https://xxxxx@c https://a:xxxxx@d/e@f"),
        ("ssh://git@c/d git@c:d me@example.com", "ssh://git@c/d git@c:d me@example.com"),
        ("ssh://git:b@c", "ssh://git:xxxxx@c"),
        ("https://a/b@c ://x@ \"http://u:p@\"", "https://a/b@c ://xxxxx@ \"http://u:xxxxx@\""),
        ("https://a:@b", "https://a:@b"),
        ("", ""),
    ] {
        assert_eq!(redacted(text), expected);
    }
    let mut text = b"ADD https://me:s3cret@x/y /z".to_vec();
    hide_passwords(&mut text);
    assert_eq!(text, b"ADD https://me:xxxxxx@x/y /z");
}
