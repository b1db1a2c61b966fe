//! Keeping and forgetting, and what else is in the file.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::World;
use crate::config::{Authority, Login, Purpose, Stored, erase, store};
use crate::{Credential, SecretText};

const DOCKER: &str = "home/.docker/config.json";

fn password() -> Credential {
    Credential::Password { user: "me".to_owned(), password: SecretText::new("secret") }
}

fn login(world: &World, variables: &[(&str, &str)], server: &str, credential: &Credential) -> Stored {
    let server = Authority::parse(server).unwrap();
    store(&world.settings(variables), Login { server: &server, user: "me", credential }).unwrap()
}

fn logout(world: &World, server: &str) -> bool {
    erase(&world.settings(&[]), &Authority::parse(server).unwrap()).unwrap().was_known
}

fn mode(world: &World, name: &str) -> u32 {
    world.path(name).metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn c300_a_login_makes_the_file_that_docker_would_make() {
    let world = World::new(&[]);
    assert_eq!(login(&world, &[], "quay.io:5000", &password()), Stored::Plain(world.path(DOCKER)));
    let expected = "{\n\t\"auths\": {\n\t\t\"quay.io:5000\": {\n\t\t\t\"auth\": \"bWU6c2VjcmV0\"\n\t\t}\n\t}\n}";
    assert_eq!(world.read(DOCKER), expected);
    assert_eq!(login(&world, &[], "quay.io:5000", &password()), Stored::Unchanged(world.path(DOCKER)));
    assert_eq!((mode(&world, DOCKER), mode(&world, "home/.docker")), (0o600, 0o700));
    assert!(world.route(&[], "quay.io:5000/app", Purpose::Push).contains("as me/secret"));
    assert!(logout(&world, "QUAY.io:5000"));
    assert_eq!(world.read(DOCKER), "{\n\t\"auths\": {}\n}");
    assert!(!logout(&world, "quay.io:5000"));
}

#[test]
fn c300_docker_hub_has_the_key_of_each_tool() {
    let world = World::new(&[]);
    login(&world, &[], "docker.io", &password());
    assert!(world.read(DOCKER).contains("\"https://index.docker.io/v1/\""));
    let file = [("REGISTRY_AUTH_FILE", "/auth.json")];
    assert_eq!(login(&world, &file, "index.docker.io", &password()), Stored::Plain(world.path("auth.json")));
    assert!(world.read("auth.json").contains("\"docker.io\""));
    assert!(logout(&world, "docker.io"));
    assert_eq!(world.read(DOCKER), "{\n\t\"auths\": {}\n}");
}

#[test]
fn c303_everything_else_in_the_file_stays_in_its_order() {
    let before = "{\"zeta\": [1.5, 10000000000000000000], \"psFormat\": \"x\", \"auths\": {\"https://quay.io/v1/\": {\"auth\": \"eDp5\"}, \
                  \"other.example\": {\"auth\": \"eDp5\", \"email\": \"e\"}, \"quay.io/team\": {\"auth\": \"eDp5\"}}, \"alpha\": null}";
    let world = World::new(&[(DOCKER, before)]);
    std::fs::set_permissions(world.path(DOCKER), PermissionsExt::from_mode(0o644)).unwrap();
    login(&world, &[], "quay.io", &Credential::IdentityToken(SecretText::new("t1")));
    let mut expected: serde_json::Value = serde_json::from_str(before).unwrap();
    let auths = expected["auths"].as_object_mut().unwrap();
    auths.shift_remove("https://quay.io/v1/");
    auths.insert("quay.io".to_owned(), serde_json::json!({ "auth": "bWU6", "identitytoken": "t1" }));
    let after: serde_json::Value = serde_json::from_str(&world.read(DOCKER)).unwrap();
    assert_eq!(after.to_string(), expected.to_string(), "with the order of keys");
    assert_eq!(mode(&world, DOCKER), 0o600);
    assert!(world.route(&[], "quay.io/app", Purpose::Pull).contains("identity token t1"));
}

#[test]
fn c303_a_link_stays_one() {
    let world = World::new(&[("dotfiles/docker.json", "{\"a\": 1}"), ("home/.docker/x", "")]);
    symlink("../../dotfiles/docker.json", world.path(DOCKER)).unwrap();
    login(&world, &[], "quay.io", &password());
    assert!(world.path(DOCKER).is_symlink());
    assert!(world.read("dotfiles/docker.json").contains("quay.io"));
    // Also one to a file that is not there yet.
    let world = World::new(&[("dotfiles/x", ""), ("home/.docker/x", "")]);
    symlink("../../dotfiles/docker.json", world.path(DOCKER)).unwrap();
    login(&world, &[], "quay.io", &password());
    assert!(world.read("dotfiles/docker.json").contains("quay.io"));
    assert_eq!(std::fs::read_dir(world.path("dotfiles")).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn c303_a_broken_file_is_not_written_over() {
    let world = World::new(&[(DOCKER, "{broken")]);
    let server = Authority::parse("quay.io").unwrap();
    let login = Login { server: &server, user: "me", credential: &password() };
    assert!(store(&world.settings(&[]), login).is_err());
    assert_eq!(world.read(DOCKER), "{broken");
}

#[test]
fn c300_logins_at_the_same_time_lose_nothing() {
    let world = World::new(&[]);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let world = &world;
            scope.spawn(move || login(world, &[], &format!("r{number}.example"), &password()));
        }
    });
    let kept: serde_json::Value = serde_json::from_str(&world.read(DOCKER)).unwrap();
    assert_eq!(kept["auths"].as_object().unwrap().len(), 16);
}

#[test]
fn c301_a_helper_keeps_what_the_file_does_not() {
    let helper = "#!/bin/sh\nexport PATH=/usr/bin:/bin\nhere=${0%/*}\nline=$(cat)\necho \"$1 $line\" >> $here/log\n\
                  case $1 in\n  store) echo \"$line\" > $here/kept ;;\n  erase) rm -f $here/kept ;;\n\
                  get) cat $here/kept 2>/dev/null || { echo credentials not found in native keychain; exit 1; } ;;\nesac\n";
    let config = r#"{"credsStore": "gone", "credHelpers": {"quay.io": "fake"}}"#;
    let world = World::new(&[(DOCKER, config), ("bin/docker-credential-fake", helper)]);
    let stored = login(&world, &[], "quay.io", &password());
    assert_eq!(stored, Stored::Helper("docker-credential-fake".to_owned()));
    let log = world.read("bin/log");
    assert_eq!(log, "store {\"ServerURL\":\"quay.io\",\"Username\":\"me\",\"Secret\":\"secret\"}\n");
    let kept: serde_json::Value = serde_json::from_str(&world.read(DOCKER)).unwrap();
    assert_eq!(kept["auths"].to_string(), r#"{"quay.io":{}}"#);
    assert!(world.route(&[], "quay.io/app", Purpose::Pull).contains("as me/secret"));
    login(&world, &[], "quay.io", &Credential::IdentityToken(SecretText::new("t1")));
    assert!(world.read("bin/kept").contains(r#""Username":"<token>","Secret":"t1""#));
    assert!(logout(&world, "quay.io"));
    assert!(!world.path("bin/kept").exists());
    assert!(!logout(&world, "quay.io"));
    // A login that the helper does not keep is in no file.
    let server = Authority::parse("other.example").unwrap();
    let login = Login { server: &server, user: "me", credential: &password() };
    assert!(store(&world.settings(&[]), login).unwrap_err().hint().unwrap().contains("credsStore"));
    assert!(!world.read(DOCKER).contains("other.example"));
}
