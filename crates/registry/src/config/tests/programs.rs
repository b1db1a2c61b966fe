//! Credential helpers: scripts that say what they were asked.

use super::World;
use crate::config::Purpose;

const DOCKER: &str = "home/.docker/config.json";

/// A helper that writes down what it was asked, and then does this.
fn helper(does: &str) -> String {
    format!("#!/bin/sh\nexport PATH=/usr/bin:/bin\nread -r line\necho \"$1 $line\" >> \"${{0%/*}}/log\"\n{does}\n")
}

const KNOWS: &str = r#"echo "{\"ServerURL\":\"$line\",\"Username\":\"me\",\"Secret\":\"kept\"}""#;
const NOTHING: &str = "echo 'credentials not found in native keychain'; exit 1";

#[track_caller]
fn check(config: &str, does: &str, name: &str, expected: &str, asked: &str) {
    let world = World::new(&[(DOCKER, config), ("bin/docker-credential-fake", &helper(does)), ("bin/log", "")]);
    assert_eq!(world.route(&[], name, Purpose::Pull), expected);
    assert_eq!(world.read("bin/log"), asked);
}

#[test]
fn c301_helpers_are_asked_for_what_docker_asks_for() {
    let by = "docker-credential-fake (/home/.docker/config.json: ";
    let kept = |url: &str, key: &str| format!("https://{url} as me/kept; credential: {by}{key})");
    let store = r#"{"credsStore": "fake"}"#;
    check(store, KNOWS, "quay.io/app", &kept("quay.io:443/app", "credsStore"), "get quay.io\n");
    check(store, KNOWS, "quay.io:5000/app", &kept("quay.io:5000/app", "credsStore"), "get quay.io:5000\n");
    let hub = "registry-1.docker.io:443/library/app";
    check(store, KNOWS, "app", &kept(hub, "credsStore"), "get https://index.docker.io/v1/\n");
    let one = r#"{"credHelpers": {"quay.io": "fake", "quay.io/team": "fake"}}"#;
    check(one, KNOWS, "quay.io/app", &kept("quay.io:443/app", "credHelpers[\"quay.io\"]"), "get quay.io\n");
    let team = kept("quay.io:443/team/app", "credHelpers[\"quay.io/team\"]");
    check(one, KNOWS, "quay.io/team/app", &team, "get quay.io/team\n");
    check(one, KNOWS, "evil-quay.io/app", "https://evil-quay.io:443/app", "");
    let both = r#"{"credsStore": "gone", "credHelpers": {"quay.io": "fake"}}"#;
    check(both, KNOWS, "quay.io/app", &kept("quay.io:443/app", "credHelpers[\"quay.io\"]"), "get quay.io\n");
}

#[test]
fn c301_a_helper_that_has_nothing_is_no_error() {
    let plain = "https://quay.io:443/app";
    let store = r#"{"credsStore": "fake", "auths": {"quay.io": {}}}"#;
    check(store, NOTHING, "quay.io/app", plain, "get quay.io\n");
    let left = r#"{"credsStore": "fake", "auths": {"quay.io": {"auth": "bWU6c2VjcmV0"}}}"#;
    let from_file = format!("{plain} as me/secret; credential: /home/.docker/config.json: auths[\"quay.io\"]");
    check(left, NOTHING, "quay.io/app", &from_file, "get quay.io\n");
    let own = r#"{"credHelpers": {"quay.io": "fake"}, "auths": {"quay.io": {"auth": "bWU6c2VjcmV0"}}}"#;
    check(own, NOTHING, "quay.io/app", plain, "get quay.io\n");
}

#[test]
fn c301_answers_of_helpers_are_checked() {
    let store = r#"{"credsStore": "fake"}"#;
    let token = r#"echo '{"Username":"<token>","Secret":"t1"}'"#;
    let by = "docker-credential-fake (/home/.docker/config.json: credsStore)";
    let plain = "https://quay.io:443/app";
    check(store, token, "quay.io/app", &format!("{plain} with identity token t1; credential: {by}"), "get quay.io\n");
    let failure = |does: &str, said: &str| {
        let expected = format!(
            "error: credential helper `docker-credential-fake` of /home/.docker/config.json: credsStore: {said}"
        );
        check(store, does, "quay.io/app", &expected, "get quay.io\n");
    };
    failure("echo 'the keyring is locked'; exit 1", "it failed: the keyring is locked");
    failure("echo 'no display' >&2; exit 2", "it failed: no display");
    failure("exit 2", "it failed: no message");
    failure("echo hello", "its answer is not what a helper answers");
    failure("echo '{\"Username\":\"me\"}'", "its answer is not what a helper answers");
    failure(
        r#"echo '{"ServerURL":"https://quay.io.evil.example","Username":"me","Secret":"x"}'"#,
        "it was asked for quay.io and answered for https://quay.io.evil.example",
    );
    // More than anybody needs.
    failure("yes | head -c 3000000", "its answer is not what a helper answers");
}
