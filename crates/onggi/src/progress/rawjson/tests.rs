use jiff::Timestamp;
use serde_json::Value;

use super::{RawJson, base64};
use crate::progress::tests::{failure, rebuild, show};

#[test]
fn every_line_is_an_object_with_buildkits_names() {
    let began: Timestamp = "2026-11-21T04:30:17.5Z".parse().unwrap();
    let text = show(RawJson::new(began), failure().warning("odd", Some(3)), 310);
    insta::assert_snapshot!(text, @r#"
    {"vertexes":[{"digest":"sha256:a1d109c4a814ec074aebbf37c05ea071e4f0dd07bdc00be27bebc46d7b183146","name":"[1/3] FROM docker.io/library/node:18"}]}
    {"vertexes":[{"digest":"sha256:ebeecf04ed45f4259b38c11d8f4099d726bbb9ba5a7a860588b146fa31910134","name":"[2/3] RUN make"}]}
    {"vertexes":[{"digest":"sha256:6cd2e020cd44a0902af3abd55ff2de7d28c92791e5c1cbdfb03227c6c600d6d3","name":"[3/3] COPY . ."}]}
    {"vertexes":[{"digest":"sha256:a1d109c4a814ec074aebbf37c05ea071e4f0dd07bdc00be27bebc46d7b183146","name":"[1/3] FROM docker.io/library/node:18","started":"2026-11-21T04:30:17.501Z","completed":"2026-11-21T04:30:17.501Z","cached":true}]}
    {"vertexes":[{"digest":"sha256:ebeecf04ed45f4259b38c11d8f4099d726bbb9ba5a7a860588b146fa31910134","name":"[2/3] RUN make","started":"2026-11-21T04:30:17.502Z"}]}
    {"logs":[{"vertex":"sha256:ebeecf04ed45f4259b38c11d8f4099d726bbb9ba5a7a860588b146fa31910134","stream":1,"data":"Y2MgbWFpbi5jCg==","timestamp":"2026-11-21T04:30:17.552Z"}]}
    {"logs":[{"vertex":"sha256:ebeecf04ed45f4259b38c11d8f4099d726bbb9ba5a7a860588b146fa31910134","stream":1,"data":"G1szMW1lcnJvcjobWzBtIG5vIHN1Y2ggZmlsZQptYWtlOiAqKiogW2FsbF0gRXJyb3IgMQ==","timestamp":"2026-11-21T04:30:17.752Z"}]}
    {"vertexes":[{"digest":"sha256:ebeecf04ed45f4259b38c11d8f4099d726bbb9ba5a7a860588b146fa31910134","name":"[2/3] RUN make","started":"2026-11-21T04:30:17.502Z","completed":"2026-11-21T04:30:17.802Z","error":"exited with status 2"}]}
    {"vertexes":[{"digest":"sha256:6cd2e020cd44a0902af3abd55ff2de7d28c92791e5c1cbdfb03227c6c600d6d3","name":"[3/3] COPY . .","started":"2026-11-21T04:30:17.803Z","completed":"2026-11-21T04:30:17.803Z","error":"context canceled"}]}
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
fn base64_is_rfc_4648s() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{ff}?", "w78/")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
