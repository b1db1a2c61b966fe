use jiff::Timestamp;
use serde_json::Value;

use super::RawJson;
use crate::progress::tests::{Recording, explained, failure, rebuild, show};
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

/// N001, N002: BuildKit's shape with one key more.
#[test]
fn n001_n002_reasons_have_a_key_of_their_own() {
    let text = show(RawJson::new("2026-11-21T04:30:17Z".parse().unwrap()), explained(), 5);
    let explained: Vec<String> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("explain").map(ToString::to_string))
        .collect();
    insta::assert_snapshot!(explained.join("\n"), @r#"
    [{"stage":"test","instructions":3,"notNeeded":true}]
    [{"stage":"stage-3","instructions":1,"notNeeded":true}]
    [{"vertex":"sha256:b02079e5606e64beb3be2d6581aced49aa8d45a7b1962557826f928bd3344fb2","cached":"2026-11-21T04:20:17Z"}]
    [{"vertex":"sha256:a8c63ec446af1beb74f46748f23137c56ef865da881978dd0a3d81890d9f41ea","notCached":"mode changed: new is `600`"}]
    [{"vertex":"sha256:a8c63ec446af1beb74f46748f23137c56ef865da881978dd0a3d81890d9f41ea","notCached":"a file changed: app.js"}]
    [{"vertex":"sha256:d6ccab132f0eead9c6df2ced142666286d374b30206604cf8335ceb59fd48e58","notCached":"the layers below changed"}]
    "#);
}

/// B009: the shape is stable; what there is stands in the reference, and nothing else.
#[test]
fn b009_the_shape_is_the_documented_one() {
    fn keys(value: &Value, path: &str, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let path = format!("{path}.{name}");
                keys(value, &path, found);
                found.insert(path);
            }),
            Value::Array(values) => values.iter().for_each(|value| keys(value, path, found)),
            _ => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    let began: Timestamp = "2026-11-21T04:30:17Z".parse().unwrap();
    for recording in [rebuild(), failure().warning("odd", Some(3)).check("StageNameCasing", "x", 2), explained()] {
        for line in show(RawJson::new(began), recording, 3000).lines() {
            keys(&serde_json::from_str(line).unwrap(), "", &mut found);
        }
    }
    let reference = include_str!("../../../../../docs/reference/progress.md");
    for path in &found {
        let key = path.rsplit('.').next().unwrap();
        assert!(reference.contains(&format!("`{key}`")) || reference.contains(&format!("\"{key}\":")), "{path}");
    }
    insta::assert_snapshot!(found.into_iter().collect::<Vec<_>>().join(" "), @".explain .explain.cached .explain.instructions .explain.notCached .explain.notNeeded .explain.stage .explain.vertex .logs .logs.data .logs.stream .logs.timestamp .logs.vertex .statuses .statuses.completed .statuses.current .statuses.id .statuses.started .statuses.timestamp .statuses.vertex .vertexes .vertexes.cached .vertexes.completed .vertexes.digest .vertexes.error .vertexes.name .vertexes.started .warnings .warnings.detail .warnings.level .warnings.range .warnings.range.end .warnings.range.end.character .warnings.range.end.line .warnings.range.start .warnings.range.start.character .warnings.range.start.line .warnings.short .warnings.url");
}
