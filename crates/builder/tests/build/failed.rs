//! What is kept of steps that fail (N007).

use std::fs;
use std::os::fd::AsRawFd;

use builder::{BuildError, FailedStep, RunNetwork, Secret, SecretSource};
use store::Failure;

use crate::kitchen::Kitchen;

/// The only failure that is kept.
#[track_caller]
fn only(kitchen: &Kitchen) -> (Failure, FailedStep) {
    let ids = kitchen.store.failure_ids().unwrap();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let failure = kitchen.store.failure(&ids[0]).unwrap().unwrap();
    let step = FailedStep::parse(&failure.record).unwrap();
    (failure, step)
}

fn written(failure: &Failure, path: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/fd/{}/{path}", failure.upper.as_raw_fd())).ok()
}

#[test]
fn n007_a_failed_command_is_kept_with_what_it_saw_and_wrote() {
    let kitchen = Kitchen::new();
    let file = "FROM base AS one\nRUN write /one x\nFROM one AS two\nENV E=1\nARG A=2\nWORKDIR /w\nUSER app\n\
                SHELL [\"/bin/ash\", \"-c\"]\nRUN --network=none write /half done && exit 3\nFROM base\nCOPY --from=two /w /";
    let outcome = kitchen.build(file);
    let Err(BuildError::Step { kept: Some(id), exit_code: Some(3), .. }) = &outcome.result else { panic!() };
    let (failure, step) = only(&kitchen);
    assert_eq!(&failure.id, id);
    assert_eq!(id.len(), 12);
    assert_eq!(step.name, "[two 2/2] RUN --network=none write /half done && exit 3");
    assert_eq!((step.dockerfile.as_str(), step.line), ("Dockerfile", 9));
    assert_eq!(step.instruction, "RUN --network=none write /half done && exit 3");
    assert_eq!(step.message, "`RUN write /half done && exit 3` exited with status 3");
    assert_eq!(step.shell, ["/bin/ash", "-c"]);
    assert_eq!(step.command, ["/bin/ash", "-c", "write /half done && exit 3"]);
    assert_eq!(step.env, ["PATH=/bin", "E=1", "A=2"]);
    assert_eq!((step.user.as_str(), step.working_dir.as_str()), ("app", "/w"));
    assert_eq!((step.network, step.layers.len()), (RunNetwork::None, 3));
    assert_eq!(written(&failure, "half").as_deref(), Some("done"));
    // What failed is not taken for a result.
    kitchen.later(1);
    assert_eq!(
        kitchen.build(file).calls(),
        "/bin/ash -c write /half done && exit 3 E=1 A=2 user=app in=/w network=none"
    );
    assert_eq!(kitchen.store.failure_ids().unwrap().len(), 2);
}

#[test]
fn n007_where_no_command_failed_nothing_is_kept() {
    let kitchen = Kitchen::with("a=1");
    kitchen.build("FROM base\nRUN write /a x\nCOPY a /").id();
    // Neither what the host cannot do, nor what was cancelled, nor a mistake of the file.
    let failing = ["RUN refuse no memory", "COPY missing /", "RUN --network=what x"];
    for line in failing {
        let outcome = kitchen.build(&format!("FROM base\n{line}"));
        assert!(!matches!(outcome.result, Ok(_) | Err(BuildError::Step { kept: Some(_), .. })), "{line}");
    }
    kitchen.build(
        "FROM base AS one\nRUN meet 2 && until-cancelled\nFROM base\nRUN meet 2 && exit 7\nCOPY --from=one /a /",
    );
    let (_, step) = only(&kitchen);
    assert_eq!(step.command, ["/bin/sh", "-c", "meet 2 && exit 7"]);
}

#[test]
fn n007_a_copy_keeps_the_place_to_look_at() {
    let kitchen = Kitchen::with("a=1");
    let kept = |line: &str| {
        for id in kitchen.store.failure_ids().unwrap() {
            kitchen.store.remove_failure(&id).unwrap();
        }
        let outcome =
            kitchen.build(&format!("FROM base AS one\nWORKDIR /o\nUSER app\nRUN write /o/a 1\nFROM base\n{line}"));
        assert!(matches!(&outcome.result, Err(BuildError::Step { kept: Some(_), .. })), "{line}: {}", outcome.text());
        only(&kitchen)
    };
    // The stage that it was to be in, as that stage ends.
    for line in ["COPY --from=one /o/b /", "COPY --from=one /o/b* /"] {
        let (_, step) = kept(line);
        assert_eq!((step.layers.len(), step.user.as_str(), step.working_dir.as_str()), (3, "app", "/o"), "{line}");
        assert_eq!((step.command.len(), step.line), (0, 6));
    }
    // The files that are in the way.
    for line in ["COPY a /bin/sh/", "COPY a a /bin/sh/x/", "COPY --chown=nobody a /"] {
        let (_, step) = kept(line);
        assert_eq!((step.layers.len(), step.user.as_str(), step.working_dir.as_str()), (1, "", "/"), "{line}");
    }
}

#[test]
fn n007_b014_a_password_is_not_kept() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build_as("FROM base\nRUN exit 1", |request| {
        request.build_args = vec![
            ("HTTP_PROXY".to_owned(), "http://me:canary@proxy:3128".to_owned()),
            ("NO_PROXY".to_owned(), "localhost".to_owned()),
        ];
    });
    assert!(matches!(&outcome.result, Err(BuildError::Step { kept: Some(_), .. })));
    let (failure, step) = only(&kitchen);
    assert_eq!(
        (step.env, step.left_out),
        (vec!["PATH=/bin".to_owned(), "NO_PROXY=localhost".to_owned()], vec!["HTTP_PROXY".to_owned()])
    );
    assert!(!String::from_utf8_lossy(&failure.record).contains("canary"));
}

/// Where mounts came from is written down, and nothing of what is secret.
#[test]
fn n007_d102_to_d107_mounts_are_kept_by_where_they_came_from() {
    let kitchen = Kitchen::with("src/a=1 .dockerignore=*.log");
    let mounts = "--mount=target=/src,source=src,rw --mount=from=base,target=/base --mount=type=cache,id=c,target=/c,sharing=locked \
                  --mount=type=tmpfs,target=/t --mount=type=secret,id=file --mount=type=secret,id=variable,env=V \
                  --mount=type=secret,id=none --mount=type=ssh";
    let outcome = kitchen.build_as(&format!("FROM base\nRUN {mounts} exit 1"), |request| {
        let value = Secret::new("canary");
        let variable = SecretSource::Variable { name: "VARIABLE".to_owned(), value };
        request.run.secrets.insert("variable".to_owned(), variable);
        let path = kitchen.folder().join("token");
        fs::write(&path, "canary").unwrap();
        request.run.secrets.insert("file".to_owned(), SecretSource::File(path));
        request.run.agents.insert("default".to_owned(), "/run/agent".into());
    });
    assert!(matches!(&outcome.result, Err(BuildError::Step { kept: Some(_), .. })), "{}", outcome.text());
    let (failure, _) = only(&kitchen);
    let record = String::from_utf8(failure.record.clone()).unwrap();
    assert!(!record.contains("canary"), "{record}");
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let of = |mount: &serde_json::Value| {
        let source = mount["source"].as_object().unwrap().iter().next().unwrap();
        let detail = match source.0.as_str() {
            "folder" => format!("{} {}", source.1["path"], source.1["ignore"]),
            "layers" => format!("{} {}", source.1["path"], source.1["layers"].as_array().unwrap().len()),
            "cache" => source.1["sharing"].to_string(),
            "secret" => source.1["place"]["file"].as_str().unwrap().replace(kitchen.folder().to_str().unwrap(), ""),
            "agent" => source.1["socket"].to_string(),
            _ => source.1.to_string(),
        };
        let access = if mount["read_only"] == true { "ro" } else { "rw" };
        let target = mount["target"].as_str().unwrap();
        format!("{} {target} {access} {} {detail}", mount["number"], source.0)
    };
    let kept: Vec<String> = record["mounts"].as_array().unwrap().iter().map(of).collect();
    // The secret that was not given has its number, but is not there.
    let expected = [
        "0 /base ro layers \"\" 1",
        "1 /c rw cache \"locked\"",
        "2 /run/buildkit/ssh_agent.0 ro agent \"/run/agent\"",
        "3 /run/secrets/file ro secret /token",
        "5 /src rw folder \"src\" [\"/*.log\"]",
        "6 /t rw tmpfs {\"size\":null}",
    ];
    assert_eq!(kept, expected);
    let variables = serde_json::json!([{"id": "variable", "name": "V", "place": {"variable": "VARIABLE"}}]);
    assert_eq!(record["secret_variables"], variables);
}
