use super::*;

fn round_trip(text: &str) -> ImageConfig {
    let config: ImageConfig = serde_json::from_str(text).unwrap();
    let again: ImageConfig = serde_json::from_slice(&config.to_bytes()).unwrap();
    assert_eq!(config, again);
    config
}

#[test]
fn docker_fields_survive() {
    let text = r#"{"architecture":"amd64","config":{"Hostname":"","Env":["A=1"],"Cmd":["sh"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000},
        "OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"ArgsEscaped":true,"Labels":null,"StopSignal":"SIGQUIT"},"container":"abc","docker_version":"20.10",
        "created":"2020-01-01T00:00:00Z","history":null,"os":"linux","rootfs":{"type":"layers","diff_ids":null}}"#;
    let config = round_trip(text);
    assert_eq!(config.config.on_build, ["RUN x"]);
    assert_eq!(config.config.shell, ["/bin/bash", "-c"]);
    assert_eq!(config.config.healthcheck.as_ref().unwrap().interval, 30_000_000_000);
    assert_eq!(config.config.extra["Hostname"], "");
    assert_eq!(config.extra["docker_version"], "20.10");
}

#[test]
fn bytes_are_the_same_each_time() {
    let mut config =
        ImageConfig::scratch(&Platform { architecture: "amd64".into(), os: "linux".into(), variant: None });
    for key in ["z", "a", "m"] {
        config.config.labels.insert(key.to_owned(), key.into());
    }
    let text = String::from_utf8(config.to_bytes()).unwrap();
    assert_eq!(
        text,
        r#"{"architecture":"amd64","config":{"Labels":{"z":"z","a":"a","m":"m"}},"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
    );
}

#[test]
fn entrypoint_may_be_one_text() {
    let config = round_trip(r#"{"config":{"Entrypoint":"/bin/app"},"rootfs":{"type":"layers"}}"#);
    assert_eq!(config.config.entrypoint, Some(StringOrList(vec!["/bin/app".into()])));
}
