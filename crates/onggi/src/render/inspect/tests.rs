use serde_json::json;

use super::render;

/// S231, S232, C051.
#[test]
fn objects_are_an_array_indented_by_four() {
    let objects = [json!({"Id": "sha256:aa", "RepoTags": [], "Config": {"Env": ["A=<b>"], "Cmd": null},
        "RootFS": {"Type": "layers", "Layers": ["sha256:bb"]}})];
    insta::assert_snapshot!(render(None, &objects).unwrap(), @r#"
    [
        {
            "Id": "sha256:aa",
            "RepoTags": [],
            "Config": {
                "Env": [
                    "A=<b>"
                ],
                "Cmd": null
            },
            "RootFS": {
                "Type": "layers",
                "Layers": [
                    "sha256:bb"
                ]
            }
        }
    ]
    "#);
    assert_eq!(render(None, &[]).as_deref(), Ok("[]\n"));
    assert_eq!(render(Some("{{.Id}} {{.ID}}"), &objects).as_deref(), Ok("sha256:aa sha256:aa\n"));
    assert_eq!(render(Some("{{json .Config.Env}}"), &objects).as_deref(), Ok("[\"A=<b>\"]\n"));
    assert_eq!(render(Some("{{index .RootFS.Layers 0}}"), &objects).as_deref(), Ok("sha256:bb\n"));
    assert_eq!(render(Some("{{len .RootFS.Layers}}"), &objects).as_deref(), Ok("1\n"));
    assert!(render(Some("json"), &objects).unwrap().starts_with("[{\"Id\":\"sha256:aa\","));
    assert!(render(Some("{{.Nope}}"), &objects).is_err());
}
