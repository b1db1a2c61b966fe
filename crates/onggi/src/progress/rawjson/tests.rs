use jiff::Timestamp;
use serde_json::Value;

use super::RawJson;
use crate::progress::tests::{Recording, failure, rebuild, show};
use crate::ui::base64::base64;

#[test]
fn every_line_is_an_object_with_buildkits_names() {
    let began: Timestamp = "2026-11-21T04:30:17.5Z".parse().unwrap();
    let text = show(RawJson::new(began), failure().warning("odd", Some(3)), 310);
    insta::assert_snapshot!(text, @r#"
    {"vertexes":[{"digest":"sha256:6f342aa3a838f00b64df5b4c922a8b64b4b5ce9dbeadf216773a17015369a93b","name":"[1/3] FROM docker.io/library/node:18"}]}
    {"vertexes":[{"digest":"sha256:f210bd7dd0c006e92d59b4236f9b5fdb24714e4f76801b594a937d483e94b601","name":"[2/3] RUN make"}]}
    {"vertexes":[{"digest":"sha256:36eee0a5fb3970315d183a8e0bf7432ef22ff2ed027d5644cfd52045902f8dca","name":"[3/3] COPY . ."}]}
    {"vertexes":[{"digest":"sha256:6f342aa3a838f00b64df5b4c922a8b64b4b5ce9dbeadf216773a17015369a93b","name":"[1/3] FROM docker.io/library/node:18","started":"2026-11-21T04:30:17.501Z","completed":"2026-11-21T04:30:17.501Z","cached":true}]}
    {"vertexes":[{"digest":"sha256:f210bd7dd0c006e92d59b4236f9b5fdb24714e4f76801b594a937d483e94b601","name":"[2/3] RUN make","started":"2026-11-21T04:30:17.502Z"}]}
    {"logs":[{"vertex":"sha256:f210bd7dd0c006e92d59b4236f9b5fdb24714e4f76801b594a937d483e94b601","stream":1,"data":"Y2MgbWFpbi5jCg==","timestamp":"2026-11-21T04:30:17.552Z"}]}
    {"logs":[{"vertex":"sha256:f210bd7dd0c006e92d59b4236f9b5fdb24714e4f76801b594a937d483e94b601","stream":1,"data":"G1szMW1lcnJvcjobWzBtIG5vIHN1Y2ggZmlsZQptYWtlOiAqKiogW2FsbF0gRXJyb3IgMQ==","timestamp":"2026-11-21T04:30:17.752Z"}]}
    {"vertexes":[{"digest":"sha256:f210bd7dd0c006e92d59b4236f9b5fdb24714e4f76801b594a937d483e94b601","name":"[2/3] RUN make","started":"2026-11-21T04:30:17.502Z","completed":"2026-11-21T04:30:17.802Z","error":"exited with status 2"}]}
    {"vertexes":[{"digest":"sha256:36eee0a5fb3970315d183a8e0bf7432ef22ff2ed027d5644cfd52045902f8dca","name":"[3/3] COPY . .","started":"2026-11-21T04:30:17.803Z","completed":"2026-11-21T04:30:17.803Z","error":"context canceled"}]}
    {"warnings":[{"level":1,"short":"b2Rk","range":[{"start":{"line":3,"character":0},"end":{"line":3,"character":0}}]}]}
    "#);
    for line in show(RawJson::new(began), rebuild(), 2403).lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        for key in message.as_object().unwrap().keys() {
            assert!(["vertexes", "statuses", "logs", "warnings"].contains(&key.as_str()), "{key}");
        }
    }
}

#[test]
fn d178_findings_of_checks_have_description_and_page() {
    let began: Timestamp = "2026-11-21T04:30:17.5Z".parse().unwrap();
    let recording = Recording::default().check("InvalidBaseImagePlatform", "x", 1).check(
        "FromAsCasing",
        "'as' and 'FROM' keywords' casing do not match",
        8,
    );
    let text = show(RawJson::new(began), recording, 0);
    let message: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let warning = &message["warnings"][0];
    assert_eq!(warning["short"], base64(b"FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 8)"));
    let description = b"The 'as' keyword should match the case of the 'from' keyword";
    assert_eq!(warning["detail"], serde_json::json!([base64(description)]));
    assert_eq!(warning["url"], "https://docs.docker.com/go/dockerfile/rule/from-as-casing/");
    assert_eq!(warning["range"][1]["end"]["line"], 9);
    assert!(!text.lines().next().unwrap().contains("url"), "{text}");
}
