use super::*;

/// (typed, canonical, familiar)
const GOOD: &[(&str, &str, &str)] = &[
    // S001, S003
    ("diamol/ch03-web-ping", "docker.io/diamol/ch03-web-ping:latest", "diamol/ch03-web-ping:latest"),
    ("diamol/node", "docker.io/diamol/node:latest", "diamol/node:latest"),
    // S002
    ("hello-name:v2", "docker.io/library/hello-name:v2", "hello-name:v2"),
    // S005
    (
        "1234.dkr.ecr.eu-west-1.amazonaws.com/mzdtest:latest",
        "1234.dkr.ecr.eu-west-1.amazonaws.com/mzdtest:latest",
        "1234.dkr.ecr.eu-west-1.amazonaws.com/mzdtest:latest",
    ),
    ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
    ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
    // S006
    (
        "voyagerwoo/simple-express:alpine",
        "docker.io/voyagerwoo/simple-express:alpine",
        "voyagerwoo/simple-express:alpine",
    ),
    ("docker.io/library/node:18", "docker.io/library/node:18", "node:18"),
    ("index.docker.io/node", "docker.io/library/node:latest", "node:latest"),
    ("x/a__b--c.d", "docker.io/x/a__b--c.d:latest", "x/a__b--c.d:latest"),
    ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
    ("my_app:v1", "docker.io/library/my_app:v1", "my_app:v1"),
];

#[test]
fn s001_s002_s003_s005_s006_s008_names_are_normalised() {
    for (typed, canonical, familiar) in GOOD {
        let reference = typed.parse::<Reference>().unwrap().with_default_tag();
        assert_eq!(reference.to_string(), *canonical, "{typed}");
        assert_eq!(reference.familiar(), *familiar, "{typed}");
        assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference, "{typed}");
    }
}

#[test]
fn s004_tag_and_digest_together() {
    let digest = Digest::of(b"x");
    let reference: Reference = format!("node:18@{digest}").parse().unwrap();
    assert_eq!(reference.tag(), Some("18"));
    assert_eq!(reference.tag_or_digest(), TagOrDigest::Digest(digest));
    assert_eq!(reference.familiar(), format!("node:18@{digest}"));
}

#[test]
fn s010_bad_names_are_refused_with_their_reason() {
    let table = [
        ("", "must not be empty"),
        ("/simple-express:alpine", "must not be empty"),
        ("a//b", "must not be empty"),
        ("a/", "must not be empty"),
        ("MyApp:v1", "must be lower case"),
        ("me/MyApp", "must be lower case"),
        ("-x", "not a valid component"),
        ("a___b", "not a valid component"),
        ("a..b/c", "registry host"),
        ("b/a..c", "not a valid component"),
        ("x:", "tag ``"),
        ("x:-v", "tag `-v`"),
        ("x:a b", "tag `a b`"),
        ("x@sha256:abc", "digest must be"),
        ("ho_st.com:80/x", "registry host"),
        ("good.example@evil/x", "digest must be"),
    ];
    for (typed, reason) in table {
        let error = typed.parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains(reason), "{typed}: {error}");
    }
    assert!("a".repeat(64).parse::<Reference>().unwrap_err().to_string().contains("image ID"));
    assert_eq!("x/".repeat(150).trim_end_matches('/').parse::<Reference>(), Err(ReferenceError::TooLong));
}

#[test]
fn s010_hints_can_be_typed() {
    for (typed, hint) in [
        ("MyApp:V1", "write `myapp:V1`"),
        ("localhost:5000/Me/MyApp", "write `localhost:5000/me/myapp`"),
        ("", "write a name such as `app` or `app:v1`"),
        ("/app", "write a name such as `app:v1` or `user/app:v1`; is a variable empty?"),
        ("x:", "write a name such as `app`, `app:v1` or `user/app:v1`"),
    ] {
        let hinted = typed.parse::<Reference>().unwrap_err().hint();
        assert_eq!(hinted.as_deref(), Some(hint), "{typed}");
    }
    assert!("myapp:V1".parse::<Reference>().is_ok());
}
