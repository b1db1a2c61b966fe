//! The table: what is set, and where a name leads to then.

use super::World;
use crate::config::Purpose;

/// A file with a login of `me` for a key.
fn login(key: &str) -> String {
    format!("{{\"auths\": {{\"{key}\": {{\"auth\": \"bWU6c2VjcmV0\"}}}}}}")
}

const DOCKER: &str = "home/.docker/config.json";
const PODMAN: &str = "run/containers/1000/auth.json";
const REGISTRIES: &str = "etc/containers/registries.conf";
const DAEMON: &str = "etc/docker/daemon.json";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

#[track_caller]
fn pull(files: &[(&str, &str)], variables: &[(&str, &str)], name: &str, expected: &str) {
    assert_eq!(World::new(files).route(variables, name, Purpose::Pull), expected);
}

#[test]
fn c303_a_login_is_for_its_registry_in_any_spelling() {
    let hub = "https://registry-1.docker.io:443/library/app";
    // (key, name, whether it is for it)
    let table = [
        ("https://index.docker.io/v1/", "app", true),
        ("index.docker.io/v1/", "app", true),
        ("index.docker.io", "app", true),
        ("docker.io", "app", true),
        ("registry-1.docker.io", "app", true),
        ("https://registry-1.docker.io/v2/", "app", true),
        ("docker.io:443", "app", true),
        ("DOCKER.IO", "app", true),
        ("docker.io/library", "app", true),
        ("docker.io/other", "app", false),
        ("docker.io:5000", "app", false),
        ("docker.io.evil.example", "app", false),
        ("evil-docker.io", "app", false),
        ("hub.docker.com", "app", false),
        ("quay.io", "app", false),
        ("", "app", false),
    ];
    for (key, name, is_for_it) in table {
        let words = World::new(&[(DOCKER, &login(key))]).route(&[], name, Purpose::Pull);
        let expected = match is_for_it {
            true => format!("{hub} as me/secret; credential: /home/.docker/config.json: auths[{key:?}]"),
            false => hub.to_owned(),
        };
        assert_eq!(words, expected, "{key}");
    }
}

#[test]
fn c303_a_login_never_reaches_a_look_alike() {
    // Row 23 of the field notes: (key, name, whether it is for it)
    let table = [
        ("good.example", "good.example/app", true),
        ("https://good.example", "good.example/app", true),
        ("https://good.example/v1/", "good.example/app", true),
        ("https://good.example/v2/", "good.example/app", true),
        ("http://good.example", "good.example/app", true),
        ("GOOD.example", "good.example/app", true),
        ("good.example.", "good.example/app", true),
        ("good.example:443", "good.example/app", true),
        ("good.example", "good.example:443/app", true),
        ("good.example", "GOOD.example/app", true),
        ("good.example:0443", "good.example/app", true),
        ("good.example:5000", "good.example:5000/app", true),
        ("good.example", "good.example:5000/app", false),
        ("good.example:5000", "good.example/app", false),
        ("good.example:80", "good.example/app", false),
        ("good.example", "good.example.evil.example/app", false),
        ("good.example", "evil-good.example/app", false),
        ("good.example", "sub.good.example/app", false),
        ("sub.good.example", "good.example/app", false),
        ("good.example", "good-example.example/app", false),
        ("good.exampl", "good.example/app", false),
        ("*.example", "good.example/app", false),
        ("https://me@good.example", "good.example/app", false),
        ("good.example@evil.example", "evil.example/app", false),
        ("https://good.example@evil.example/", "evil.example/app", false),
        ("goo\u{0501}.example", "good.example/app", false),
        ("good.example..", "good.example/app", false),
        ("good.example:", "good.example/app", false),
        ("good.example:0", "good.example/app", false),
        ("good.example:65979", "good.example/app", false),
        ("good.example:+443", "good.example/app", false),
        ("ftp://good.example", "good.example/app", false),
        ("good.example/team", "good.example/team/app", true),
        ("good.example/team/", "good.example/team/app", true),
        ("good.example/team/app", "good.example/team/app", true),
        ("good.example/te", "good.example/team/app", false),
        ("good.example/team/ap", "good.example/team/app", false),
        ("good.example/team", "good.example/other/app", false),
        ("good.example/team", "evil.example/team/app", false),
        ("[::1]:5000", "[::1]:5000/app", true),
        ("[0:0::1]:5000", "[::1]:5000/app", true),
        ("[::1]", "[::1]:5000/app", false),
        ("127.0.0.1:5000", "127.0.0.1:5000/app", true),
        ("localhost:5000", "127.0.0.1:5000/app", false),
    ];
    for (key, name, is_for_it) in table {
        let words = World::new(&[(DOCKER, &login(key))]).route(&[], name, Purpose::Pull);
        assert_eq!(words.contains("as me/secret"), is_for_it, "{key} for {name}: {words}");
    }
}

#[test]
fn c303_the_file_that_counts_most_is_first() {
    let other = r#"{"auths": {"quay.io": {"auth": "eW91OndvcmQ="}}}"#;
    let me = login("quay.io");
    pull(
        &[(DOCKER, &me), (PODMAN, other)],
        &[],
        "quay.io/app",
        "https://quay.io:443/app as me/secret; credential: /home/.docker/config.json: auths[\"quay.io\"]",
    );
    pull(
        &[(PODMAN, other)],
        &[],
        "quay.io/app",
        "https://quay.io:443/app as you/word; credential: /run/containers/1000/auth.json: auths[\"quay.io\"]",
    );
    pull(
        &[(PODMAN, other), ("runtime/containers/auth.json", &me)],
        &[("XDG_RUNTIME_DIR", "/runtime")],
        "quay.io/app",
        "https://quay.io:443/app as me/secret; credential: /runtime/containers/auth.json: auths[\"quay.io\"]",
    );
    pull(
        &[("home/.config/containers/auth.json", other)],
        &[],
        "quay.io/app",
        "https://quay.io:443/app as you/word; credential: /home/.config/containers/auth.json: auths[\"quay.io\"]",
    );
    pull(
        &[("config/containers/auth.json", other)],
        &[("XDG_CONFIG_HOME", "/config")],
        "quay.io/app",
        "https://quay.io:443/app as you/word; credential: /config/containers/auth.json: auths[\"quay.io\"]",
    );
    pull(
        &[(DOCKER, &me), ("ci.json", other)],
        &[("REGISTRY_AUTH_FILE", "/ci.json")],
        "quay.io/app",
        "https://quay.io:443/app as you/word; credential: /ci.json: auths[\"quay.io\"]",
    );
    pull(
        &[(DOCKER, other), ("docker/config.json", &me)],
        &[("DOCKER_CONFIG", "/docker")],
        "quay.io/app",
        "https://quay.io:443/app as me/secret; credential: /docker/config.json: auths[\"quay.io\"]",
    );
    // A file that says nothing of this registry, or that a helper's login has left empty, stands in nobody's way.
    pull(
        &[(DOCKER, r#"{"auths": {"quay.io": {}}}"#), (PODMAN, other)],
        &[],
        "quay.io/app",
        "https://quay.io:443/app as you/word; credential: /run/containers/1000/auth.json: auths[\"quay.io\"]",
    );
    pull(&[(DOCKER, "")], &[], "quay.io/app", "https://quay.io:443/app");
}

#[test]
fn c303_the_longest_key_counts() {
    let file = r#"{"auths": {
        "quay.io": {"auth": "bWU6c2VjcmV0"},
        "quay.io/team": {"auth": "eW91OndvcmQ="},
        "quay.io/team/app": {"identitytoken": "t1"},
        "https://quay.io/v1/": {"auth": "bWU6b2xk"},
        "quay.io/team/other": {"registrytoken": "t2", "identitytoken": "t1", "auth": "bWU6c2VjcmV0"},
        "quay.io/plain": {"username": "me", "password": "typed"},
        "quay.io/nul": {"auth": "bWU6c2VjcmV0AAA="},
        "quay.io/pad": {"auth": "eW91OndvcmQ"},
        "quay.io/colon": {"auth": "bWU6YTpi"}
    }}"#;
    for (name, expected) in [
        ("app", " as me/secret; credential: /home/.docker/config.json: auths[\"quay.io\"]"),
        ("team/x", " as you/word; credential: /home/.docker/config.json: auths[\"quay.io/team\"]"),
        ("teams/x", " as me/secret; credential: /home/.docker/config.json: auths[\"quay.io\"]"),
        ("team/app", " with identity token t1; credential: /home/.docker/config.json: auths[\"quay.io/team/app\"]"),
        ("team/other", " with registry token t2; credential: /home/.docker/config.json: auths[\"quay.io/team/other\"]"),
        ("plain", " as me/typed; credential: /home/.docker/config.json: auths[\"quay.io/plain\"]"),
        ("nul", " as me/secret; credential: /home/.docker/config.json: auths[\"quay.io/nul\"]"),
        ("pad", " as you/word; credential: /home/.docker/config.json: auths[\"quay.io/pad\"]"),
        ("colon", " as me/a:b; credential: /home/.docker/config.json: auths[\"quay.io/colon\"]"),
    ] {
        pull(&[(DOCKER, file)], &[], &format!("quay.io/{name}"), &format!("https://quay.io:443/{name}{expected}"));
    }
}

/// File, content, what is said.
const WRONG: &[(&str, &str, &str)] = &[
    (
        DOCKER,
        "{\n  \"auths\": {,}\n}",
        "error: /home/.docker/config.json:2: not JSON: key must be a string at line 2 column 13",
    ),
    (DOCKER, "[]", "error: /home/.docker/config.json:1: not a JSON object"),
    (DOCKER, r#"{"auths": 1}"#, "error: /home/.docker/config.json: auths: not a JSON object"),
    (
        DOCKER,
        r#"{"auths": {"quay.io": {"auth": "!"}}}"#,
        "error: /home/.docker/config.json: auths[\"quay.io\"]: `auth` is not the base64 of `USER:PASSWORD`",
    ),
    (
        DOCKER,
        r#"{"auths": {"quay.io": {"auth": "bWU="}}}"#,
        "error: /home/.docker/config.json: auths[\"quay.io\"]: `auth` is not the base64 of `USER:PASSWORD`",
    ),
    (DOCKER, r#"{"credsStore": 1}"#, "error: /home/.docker/config.json: credsStore: not a text"),
    (
        DOCKER,
        r#"{"credsStore": "gone"}"#,
        "error: credential helper `docker-credential-gone` of /home/.docker/config.json: credsStore: it is not in $PATH",
    ),
    (
        DOCKER,
        r#"{"credHelpers": {"quay.io": "../x"}}"#,
        "error: credential helper `docker-credential-../x` of /home/.docker/config.json: credHelpers[\"quay.io\"]: that is not the name of a helper",
    ),
    (PODMAN, "x", "error: /run/containers/1000/auth.json:1: not JSON: expected value at line 1 column 1"),
    (DAEMON, "x", "error: /etc/docker/daemon.json:1: not JSON: expected value at line 1 column 1"),
    (
        DAEMON,
        r#"{"insecure-registries": ["a/b"]}"#,
        "error: /etc/docker/daemon.json: insecure-registries[0]: `a/b` is neither a host nor a range",
    ),
    (DAEMON, r#"{"insecure-registries": "a"}"#, "error: /etc/docker/daemon.json: insecure-registries: not a list"),
    (
        REGISTRIES,
        "a = \nb = 1",
        "error: /etc/containers/registries.conf:1: string values must be quoted, expected literal string",
    ),
    (
        REGISTRIES,
        "\n[registries.search]\nregistries = []",
        "error: /etc/containers/registries.conf:2: version 1 of registries.conf is not supported",
    ),
    (
        REGISTRIES,
        "[[registry]]\ninsecure = true",
        "error: /etc/containers/registries.conf:1: `[[registry]]` has neither `prefix` nor `location`",
    ),
    (
        REGISTRIES,
        "[[registry]]\nlocation = 'https://x.example'",
        "error: /etc/containers/registries.conf:2: `https://x.example`: write the host without `https://` or `http://`",
    ),
    (
        REGISTRIES,
        "[[registry]]\nprefix = '*.x.example/y'",
        "error: /etc/containers/registries.conf:2: `*.x.example/y` is not `*.` and a domain",
    ),
    (
        REGISTRIES,
        "[[registry]]\nlocation = 'x.example'\nblocked = 'yes'",
        "error: /etc/containers/registries.conf:3: `blocked` is neither `true` nor `false`",
    ),
    (
        REGISTRIES,
        "[registry]\nlocation = 'x.example'",
        "error: /etc/containers/registries.conf:1: `registry` is not a list of tables: write `[[registry]]`",
    ),
    (
        REGISTRIES,
        "[[registry]]\nlocation = 'x.example'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm.example'\npull-from-mirror = 'all'",
        "error: /etc/containers/registries.conf:6: `pull-from-mirror` contradicts `mirror-by-digest-only`",
    ),
    (
        REGISTRIES,
        "[[registry]]\nlocation = 'x.example'\n[[registry.mirror]]\nlocation = 'm.example'\npull-from-mirror = 'never'",
        "error: /etc/containers/registries.conf:5: `never` is none of `all`, `digest-only` and `tag-only`",
    ),
    (
        REGISTRIES,
        "[[registry]]\nprefix = 'x.example'\nlocation = 'y.example/a:v1'",
        "error: /etc/containers/registries.conf:3: `y.example/a:v1` has a tag or digest, which no location has",
    ),
];

#[test]
fn c303_wrong_files_are_named() {
    for (file, content, expected) in WRONG {
        pull(&[(file, content)], &[], "quay.io/app", expected);
    }
}

const MIRRORED: &str = "
[[registry]]
prefix = 'quay.io/team'
location = 'inner.example:5000/copies'
[[registry.mirror]]
location = 'fast.example/team'
[[registry.mirror]]
location = 'digests.example'
pull-from-mirror = 'digest-only'
[[registry.mirror]]
location = 'tags.example'
pull-from-mirror = 'tag-only'
insecure = true
";

#[test]
fn n042_any_registry_has_mirrors() {
    let conf = "/etc/containers/registries.conf";
    pull(
        &[(REGISTRIES, MIRRORED)],
        &[],
        "quay.io/team/app:v1",
        &format!(
            "https://fast.example:443/team/app mirror; {conf}:6\n\
             https://digests.example:443/app mirror for digests; {conf}:8\n\
             https://tags.example:443/app mirror or plain 80 unverified; {conf}:11; insecure: {conf}:13\n\
             https://inner.example:5000/copies/app; {conf}:4"
        ),
    );
    let digest = format!("quay.io/team/app@sha256:{}", "0".repeat(64));
    pull(
        &[(REGISTRIES, MIRRORED)],
        &[],
        &digest,
        &format!(
            "https://fast.example:443/team/app mirror; {conf}:6\n\
             https://digests.example:443/app mirror for digests; {conf}:8\n\
             https://inner.example:5000/copies/app; {conf}:4\n\
             note: {conf}:11: this mirror is for tags only, and the name has a digest"
        ),
    );
    pull(&[(REGISTRIES, MIRRORED)], &[], "quay.io/teams/app", "https://quay.io:443/teams/app");
    pull(&[(REGISTRIES, MIRRORED)], &[], "quay.io.evil.example/team/app", "https://quay.io.evil.example:443/team/app");
    pull(&[(REGISTRIES, MIRRORED)], &[], "quay.io:5000/team/app", "https://quay.io:5000/team/app");
    // What is pushed goes where its name says.
    let world = World::new(&[(REGISTRIES, MIRRORED)]);
    let expected = format!("https://quay.io:443/team/app; {conf}:3");
    assert_eq!(world.route(&[], "quay.io/team/app", Purpose::Push), expected);
    // A mirror has a login of its own, and gets no other's.
    pull(
        &[(REGISTRIES, MIRRORED), (DOCKER, &login("quay.io"))],
        &[],
        "quay.io/team/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        &format!(
            "https://fast.example:443/team/app mirror; {conf}:6\n\
             https://digests.example:443/app mirror for digests; {conf}:8\n\
             https://inner.example:5000/copies/app; {conf}:4\n\
             note: {conf}:11: this mirror is for tags only, and the name has a digest"
        ),
    );
    pull(
        &[
            (REGISTRIES, "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'm.example/hub'"),
            (DOCKER, &login("m.example/hub")),
        ],
        &[],
        "app",
        &format!(
            "https://m.example:443/hub/library/app mirror as me/secret; {conf}:4; credential: /home/.docker/config.json: auths[\"m.example/hub\"]\n\
             https://registry-1.docker.io:443/library/app"
        ),
    );
}

#[test]
fn n042_tables_are_chosen_by_the_longest_prefix() {
    let conf = "
[[registry]]
prefix = '*.example.com'
insecure = true
[[registry]]
location = 'a.example.com'
[[registry]]
prefix = 'a.example.com/team'
blocked = true
[[registry]]
prefix = '*.deep.example.com'
location = 'elsewhere.example/base'
[[registry]]
prefix = 'b.example.net/app:v1'
blocked = true
";
    let at = "/etc/containers/registries.conf";
    let v1 = format!("error: b.example.net/app:v1 is blocked by {at}:15");
    for (name, expected) in [
        ("a.example.com/app", format!("https://a.example.com:443/app; {at}:6")),
        ("a.example.com/team/app", format!("error: a.example.com/team/app is blocked by {at}:9")),
        ("b.example.com/x", format!("https://b.example.com:443/x or plain 80 unverified; {at}:3; insecure: {at}:4")),
        (
            "c.b.example.com/x",
            format!("https://c.b.example.com:443/x or plain 80 unverified; {at}:3; insecure: {at}:4"),
        ),
        (
            "b.example.com:5000/x",
            format!("https://b.example.com:5000/x or plain 5000 unverified; {at}:3; insecure: {at}:4"),
        ),
        ("example.com/x", "https://example.com:443/x".to_owned()),
        ("notexample.com/x", "https://notexample.com:443/x".to_owned()),
        ("x.deep.example.com/app", format!("https://elsewhere.example:443/base/app; {at}:12")),
        ("b.example.net/app:v1", v1),
        ("b.example.net/app:v10", "https://b.example.net:443/app".to_owned()),
        ("b.example.net/app", "https://b.example.net:443/app".to_owned()),
    ] {
        pull(&[(REGISTRIES, conf)], &[], name, &expected);
    }
    let world = World::new(&[(REGISTRIES, conf)]);
    let blocked = world.route(&[], "a.example.com/team/app", Purpose::Push);
    assert_eq!(blocked, format!("error: a.example.com/team/app is blocked by {at}:9"));
}

#[test]
fn n042_files_of_registries_conf_go_before_each_other() {
    let blocked = |name: &str| format!("[[registry]]\nlocation = '{name}'\nblocked = true\n");
    let (x, y) = (blocked("x.example"), blocked("y.example"));
    let open = "[[registry]]\nlocation = 'x.example'\nblocked = false\n";
    let system = "etc/containers/registries.conf.d/10-x.conf";
    let later = "etc/containers/registries.conf.d/20-x.conf";
    let user = "home/.config/containers/registries.conf";
    let user_more = "home/.config/containers/registries.conf.d/a.conf";
    let is_blocked = |files: &[(&str, &str)], variables: &[(&str, &str)], name: &str| {
        let words = World::new(files).route(variables, name, Purpose::Pull);
        words.strip_prefix("error: ").map(str::to_owned)
    };
    let by = |path: &str| Some(format!("x.example/a is blocked by /{path}:3"));
    assert_eq!(is_blocked(&[(REGISTRIES, &x)], &[], "x.example/a"), by(REGISTRIES));
    assert_eq!(is_blocked(&[(REGISTRIES, &x), (user, "")], &[], "x.example/a"), None);
    assert_eq!(is_blocked(&[(user, &x)], &[], "x.example/a"), by(user));
    assert_eq!(is_blocked(&[(system, &x)], &[], "x.example/a"), by(system));
    assert_eq!(is_blocked(&[(system, &x), (later, open)], &[], "x.example/a"), None);
    assert_eq!(is_blocked(&[(REGISTRIES, &x), (system, open)], &[], "x.example/a"), None);
    assert_eq!(is_blocked(&[(system, open), (user_more, &x)], &[], "x.example/a"), by(user_more));
    assert_eq!(is_blocked(&[("etc/containers/registries.conf.d/README", &x)], &[], "x.example/a"), None);
    let chosen = [("CONTAINERS_REGISTRIES_CONF", "/own.conf")];
    assert_eq!(is_blocked(&[("own.conf", &x), (system, open)], &chosen, "x.example/a"), by("own.conf"));
    assert_eq!(is_blocked(&[("own.conf", &y), (REGISTRIES, &x)], &chosen, "x.example/a"), None);
    let missing = is_blocked(&[(REGISTRIES, &x)], &chosen, "x.example/a");
    assert!(missing.is_some_and(|error| error.starts_with("cannot read /own.conf")));
}

#[test]
fn x2_short_names_are_docker_hubs() {
    let conf = "unqualified-search-registries = ['quay.io']\nshort-name-mode = 'enforcing'\n[aliases]\napp = 'quay.io/app'\n\
                hello = 'docker.io/library/hello'\n";
    pull(
        &[(REGISTRIES, conf)],
        &[],
        "app",
        "https://registry-1.docker.io:443/library/app\n\
         note: /etc/containers/registries.conf:4: the alias for quay.io/app is not used; names without a host are Docker Hub's",
    );
    pull(&[(REGISTRIES, conf)], &[], "hello", "https://registry-1.docker.io:443/library/hello");
    pull(&[(REGISTRIES, conf)], &[], "quay.io/app", "https://quay.io:443/app");
}

#[test]
fn c330_plain_http_is_for_loopback_and_for_what_is_listed() {
    let loopback = |name: &str, url: &str, port: u16| {
        pull(&[], &[], name, &format!("https://{url} or plain {port} unverified; insecure: loopback"));
    };
    loopback("localhost:5000/app", "localhost:5000/app", 5000);
    loopback("127.0.0.1:5000/app", "127.0.0.1:5000/app", 5000);
    loopback("127.8.9.1/app", "127.8.9.1:443/app", 80);
    loopback("[::1]:5000/app", "::1:5000/app", 5000);
    for name in
        ["10.0.0.1:5000/app", "localhost.example/app", "my-localhost:5000/app", "127.1:5000/app", "128.0.0.1:5/app"]
    {
        let words = World::new(&[]).route(&[], name, Purpose::Pull);
        assert!(!words.contains("plain") && !words.contains("unverified"), "{words}");
    }
    let daemon = r#"{"insecure-registries": ["my.example:5000", "10.0.0.0/8", "plain.example"]}"#;
    for (name, expected) in [
        (
            "my.example:5000/app",
            "https://my.example:5000/app or plain 5000 unverified; insecure: /etc/docker/daemon.json: insecure-registries[0]",
        ),
        ("my.example/app", "https://my.example:443/app"),
        (
            "10.1.2.3:5000/app",
            "https://10.1.2.3:5000/app or plain 5000 unverified; insecure: /etc/docker/daemon.json: insecure-registries[1]",
        ),
        ("11.1.2.3:5000/app", "https://11.1.2.3:5000/app"),
        (
            "plain.example/app",
            "https://plain.example:443/app or plain 80 unverified; insecure: /etc/docker/daemon.json: insecure-registries[2]",
        ),
        ("plain.example:5000/app", "https://plain.example:5000/app"),
    ] {
        pull(&[(DAEMON, daemon)], &[], name, expected);
    }
    // Our own file goes before Docker's, key by key.
    pull(
        &[(DAEMON, daemon), ("etc/onggi/config.json", r#"{"insecure-registries": []}"#)],
        &[],
        "plain.example/app",
        "https://plain.example:443/app",
    );
    pull(
        &[("own.json", r#"{"insecure-registries": ["a.example"]}"#)],
        &[("ONGGI_CONFIG", "/own.json")],
        "a.example/app",
        "https://a.example:443/app or plain 80 unverified; insecure: /own.json: insecure-registries[0]",
    );
}

#[test]
fn c330_docker_hub_has_mirrors_in_daemon_json() {
    let daemon = r#"{"registry-mirrors": ["https://m.example/", "http://n.example:5000", "http://o.example"]}"#;
    let at = "/etc/docker/daemon.json: registry-mirrors";
    pull(
        &[(DAEMON, daemon), (DOCKER, &login("docker.io"))],
        &[],
        "app",
        &format!(
            "https://m.example:443/library/app mirror; {at}[0]\n\
             http://n.example:5000/library/app mirror unverified; {at}[1]; insecure: {at}[1]\n\
             http://o.example:80/library/app mirror unverified; {at}[2]; insecure: {at}[2]\n\
             https://registry-1.docker.io:443/library/app as me/secret; credential: /home/.docker/config.json: auths[\"docker.io\"]"
        ),
    );
    pull(&[(DAEMON, daemon)], &[], "quay.io/app", "https://quay.io:443/app");
    for mirror in ["m.example", "ftp://m.example", "https://m.example/path", "https://me@m.example", "https://"] {
        let file = format!("{{\"registry-mirrors\": [\"{mirror}\"]}}");
        let words = World::new(&[(DAEMON, &file)]).route(&[], "app", Purpose::Pull);
        assert!(words.starts_with(&format!("error: {at}[0]: `{mirror}` ")), "{words}");
    }
}

#[test]
fn c330_certificates_are_those_of_the_registry() {
    let (docker, podman) = ("etc/docker/certs.d/my.example:5000", "etc/containers/certs.d/my.example:5000");
    let user = "home/.config/containers/certs.d/my.example:5000";
    let file = |folder: &str, name: &str| format!("{folder}/{name}");
    let names = [file(docker, "ca.crt"), file(podman, "b.crt"), file(user, "me.cert"), file(user, "me.key")];
    let key = "-----BEGIN PRIVATE KEY-----\nsecret";
    let files = [(names[0].as_str(), PEM), (&names[1], PEM), (&names[2], PEM), (&names[3], key)];
    pull(
        &files,
        &[],
        "my.example:5000/app",
        &format!("https://my.example:5000/app; identity: /{}; trusts: /{}; trusts: /{}", names[2], names[1], names[0]),
    );
    pull(&files, &[], "my.example/app", "https://my.example:443/app");
    // An authority for loopback is heeded.
    pull(
        &[("etc/docker/certs.d/localhost:5000/ca.crt", PEM)],
        &[],
        "localhost:5000/app",
        "https://localhost:5000/app or plain 5000; insecure: loopback; trusts: /etc/docker/certs.d/localhost:5000/ca.crt",
    );
    pull(
        &[("etc/docker/certs.d/docker.io/ca.crt", PEM)],
        &[],
        "app",
        "https://registry-1.docker.io:443/library/app; trusts: /etc/docker/certs.d/docker.io/ca.crt",
    );
    let broken = |name: &str, content: &str, expected: &str| {
        let name = format!("{docker}/{name}");
        pull(&[(&name, content)], &[], "my.example:5000/app", &format!("error: /{name}: {expected}"));
    };
    broken("ca.crt", "x", "there is no certificate in PEM form in it");
    broken("me.cert", PEM, "there is no `me.key` for it; an authority's file ends in `.crt`");
    broken("me.key", "x", "there is no `me.cert` for it");
}

#[test]
fn c330_proxies_are_those_of_the_environment_and_then_of_the_files() {
    let client = r#"{"proxies": {"default": {"httpsProxy": "http://c.example", "noProxy": "direct.example"}, "tcp://d.example:2375": {"httpsProxy": "http://no.example"}}}"#;
    let daemon = r#"{"proxies": {"https-proxy": "http://d.example", "no-proxy": "inner.example"}}"#;
    let files: &[(&str, &str)] = &[(DOCKER, client), (DAEMON, daemon)];
    let plain = "https://quay.io:443/app";
    let variable = [("HTTPS_PROXY", "http://e.example")];
    pull(&[], &variable, "quay.io/app", &format!("{plain} via http://e.example; proxy: $HTTPS_PROXY"));
    pull(
        &[],
        &[("https_proxy", "http://e.example")],
        "quay.io/app",
        &format!("{plain} via http://e.example; proxy: $https_proxy"),
    );
    pull(&[], &[("HTTP_PROXY", "http://e.example")], "quay.io/app", plain);
    pull(files, &variable, "quay.io/app", &format!("{plain} via http://e.example; proxy: $HTTPS_PROXY"));
    pull(
        files,
        &[],
        "quay.io/app",
        &format!("{plain} via http://c.example; proxy: /home/.docker/config.json: proxies.default.httpsProxy"),
    );
    pull(
        &[(DAEMON, daemon)],
        &[],
        "quay.io/app",
        &format!("{plain} via http://d.example; proxy: /etc/docker/daemon.json: proxies.https-proxy"),
    );
    pull(
        &[(DAEMON, daemon)],
        &[],
        "inner.example/app",
        "https://inner.example:443/app; proxy: /etc/docker/daemon.json: proxies.no-proxy",
    );
    pull(
        files,
        &[],
        "direct.example/app",
        "https://direct.example:443/app; proxy: /home/.docker/config.json: proxies.default.noProxy",
    );
    pull(files, &[("NO_PROXY", "quay.io")], "quay.io/app", &format!("{plain}; proxy: $NO_PROXY"));
    pull(&[], &[variable[0], ("no_proxy", "*")], "quay.io/app", &format!("{plain}; proxy: $no_proxy"));
    pull(
        &[],
        &variable,
        "localhost:5000/app",
        "https://localhost:5000/app or plain 5000 unverified; insecure: loopback; proxy: loopback is never reached through a proxy",
    );
    pull(
        &[],
        &[variable[0], ("NO_PROXY", "registry-1.docker.io")],
        "app",
        "https://registry-1.docker.io:443/library/app; proxy: $NO_PROXY",
    );
}

#[test]
fn c303_only_headers_for_registries_are_sent_to_them() {
    let config = r#"{"HttpHeaders": {"X-Meta-Team": "blue", "Authorization": "secret of the daemon", "X-Other": "y"}}"#;
    pull(&[(DOCKER, config)], &[], "quay.io/app", "https://quay.io:443/app X-Meta-Team=blue");
    let broken = r#"{"HttpHeaders": {"X-Meta-A": "a\nb"}}"#;
    pull(
        &[(DOCKER, broken)],
        &[],
        "quay.io/app",
        "error: /home/.docker/config.json: HttpHeaders[\"X-Meta-A\"]: not a header",
    );
}
