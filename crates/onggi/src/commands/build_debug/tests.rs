use engine::FailedStep;

use super::introduction;

fn step(command: &[&str]) -> FailedStep {
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    let layers: [&str; 0] = [];
    let record = serde_json::json!({
        "name": "[2/2] RUN make", "dockerfile": "Dockerfile", "line": 7, "instruction": "RUN make",
        "message": "`RUN make \u{1b}[2J` exited with status 2", "created": "2026-01-01T00:00:00Z", "boot": "x",
        "layers": layers, "shell": [], "command": command, "env": [], "left_out": [], "user": "", "working_dir": "/",
        "network": "default", "hosts": [], "mounts": [], "secret_variables": [],
        "limits": {"shm_size": null, "ulimits": [], "cgroup_parent": null, "resources": {}},
    });
    FailedStep::parse(&serde_json::to_vec(&record).unwrap()).unwrap()
}

#[test]
fn n007_the_first_lines_say_where_one_is() {
    insta::assert_snapshot!(introduction(&step(&["/bin/sh", "-c", "make"]), None), @r#"
    Dockerfile:7: `RUN make \x1b[2J` exited with status 2
    eval "$ONGGI_COMMAND" runs it again; what is changed here goes when the shell ends
    "#);
    insta::assert_snapshot!(introduction(&step(&[]), Some("/.onggi/bin")), @r#"
    Dockerfile:7: `RUN make \x1b[2J` exited with status 2
    these are the files that it is about; what is changed here goes when the shell ends
    no shell of the image works: this one, and tools, are lent in /.onggi/bin
    "#);
}
