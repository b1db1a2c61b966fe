//! `inspect`: what is found by a name, and in which shape it is shown (S230 to S234).

use serde_json::{Value, json};

use crate::build_project::Project;

#[test]
#[ignore = "requires root"]
fn s230_one_word_for_containers_and_images_requires_root() {
    let project = Project::new();
    project.ask(&["tag", "busybox", "nginx:latest"]);
    let image: Value = serde_json::from_str(&project.ask(&["inspect", "nginx:latest"])).unwrap();
    assert!(image[0]["RootFS"].is_object());
    project.onggi(["run", "--name", "nginx", "-e", "A=1", "-w", "/tmp", "busybox", "echo", "hi"]).run().success();
    let container: Value = serde_json::from_str(&project.ask(&["inspect", "nginx"])).unwrap();
    let container = &container[0];
    assert_eq!(container["Name"], "/nginx");
    assert_eq!(container["Image"], image[0]["Id"]);
    assert_eq!((&container["Path"], &container["Args"]), (&json!("echo"), &json!(["hi"])));
    assert_eq!(container["State"]["ExitCode"], 0);
    assert_eq!(container["Config"]["WorkingDir"], "/tmp");
    assert!(container["Config"]["Env"].as_array().unwrap().contains(&json!("A=1")));
    // Both at once, in the order asked for; the name of both is the container's.
    let both: Value = serde_json::from_str(&project.ask(&["inspect", "nginx:latest", "nginx"])).unwrap();
    assert!(both[0]["RootFS"].is_object() && both[1]["State"].is_object());
    assert!(project.ask(&["inspect", "--type", "image", "-f", "{{.RootFS.Type}}", "nginx"]) == "layers\n");
    project.ask(&["rm", "nginx"]);
}

/// Every field of docker 28's answer is there, in its order, and what was asked for is in its place.
#[test]
#[ignore = "requires root"]
fn a062_c222_a_container_has_dockers_shape_requires_root() {
    const STATE: &str = "Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt";
    const HOST: &str = "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver \
        VolumesFrom ConsoleSize CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup \
        Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt UTSMode UsernsMode ShmSize \
        Runtime Isolation CpuShares Memory NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps \
        BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod \
        CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap \
        MemorySwappiness OomKillDisable PidsLimit Ulimits";
    const CONFIG: &str = "Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin \
        StdinOnce Env Cmd Image Volumes WorkingDir Entrypoint OnBuild Labels";
    const TOP: &str = "Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount \
        Driver Platform MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver SizeRw SizeRootFs Mounts \
        Config NetworkSettings";
    let project = Project::with("FROM busybox\nENV A=1\nEXPOSE 80\nVOLUME /data\nENTRYPOINT [\"sh\"]\n");
    project.build_app();
    project.ask(&[
        "create",
        "--name",
        "one",
        "-e",
        "B=2",
        "-m",
        "100m",
        "--restart",
        "on-failure:3",
        "app",
        "-c",
        "true",
    ]);
    let object: Value = serde_json::from_str(&project.ask(&["inspect", "-s", "one"])).unwrap();
    let object = &object[0];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(object), words(TOP));
    assert_eq!(keys(&object["State"]), words(STATE));
    assert_eq!(keys(&object["Config"]), words(CONFIG));
    let host = keys(&object["HostConfig"]);
    assert!(host.starts_with(&words(HOST)), "{host}");
    assert_eq!(object["HostConfig"]["Memory"], 100 << 20);
    assert_eq!(object["HostConfig"]["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 3}));
    assert_eq!(
        object["Config"]["Env"],
        json!(["B=2", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1"])
    );
    assert_eq!(object["Config"]["ExposedPorts"], json!({"80/tcp": {}}));
    assert_eq!((&object["Config"]["Entrypoint"], &object["Config"]["Cmd"]), (&json!(["sh"]), &json!(["-c", "true"])));
    assert_eq!((&object["SizeRw"], &object["Mounts"][0]["Destination"]), (&json!(0), &json!("/data")));
}

#[test]
fn s231_images_only_as_a_list_with_four_spaces() {
    let project = Project::new();
    let text = project.ask(&["image", "inspect", "busybox"]);
    let id = project.inspect("busybox")["Id"].as_str().unwrap().to_owned();
    assert!(text.starts_with(&format!("[\n    {{\n        \"Id\": \"{id}\",\n")), "{text}");
    assert!(text.ends_with("\n    }\n]\n"), "{text}");
    let missing = project.onggi(["image", "inspect", "nope", "busybox"]).run().exits(1);
    assert!(missing.stdout.starts_with("[\n    {") && missing.stderr.starts_with("error: no such image: nope"));
}

#[test]
fn s232_layers_bottom_first() {
    let project = Project::with("FROM busybox\nCOPY a /a\nENV X=1\nCOPY b /b\n");
    project.file("a", "1").file("b", "2").build_app();
    let (base, image) = (project.image("busybox"), project.image("app"));
    let rootfs = project.inspect("app")["RootFS"].clone();
    assert_eq!(rootfs, json!({"Type": "layers", "Layers": image.diff_ids}));
    assert_eq!(image.diff_ids.len(), base.diff_ids.len() + 2);
    assert_eq!(image.diff_ids[..base.diff_ids.len()], base.diff_ids);
    assert_eq!(image.chain_ids[..base.chain_ids.len()], base.chain_ids);
}

/// S233 by a build: one more step is one more layer on the same ones.
#[test]
fn s233_one_layer_more_on_the_same_first_ones() {
    let project = Project::with("FROM busybox\nCOPY a /a\n");
    project.file("a", "1").build(&["-q", "-t", "my_ubuntu:v1"]).run().success();
    let (base, more) = (project.image("busybox"), project.image("my_ubuntu:v1"));
    assert_eq!(more.diff_ids[..base.diff_ids.len()], base.diff_ids);
    assert_eq!(more.diff_ids.len(), base.diff_ids.len() + 1);
}

#[test]
fn s234_a_wrong_word_gets_the_right_one() {
    let project = Project::new();
    let wrong = project.onggi(["images", "inspect", "busybox"]).run().exits(1);
    assert!(wrong.stderr.contains("hint: use `onggi image inspect busybox`"), "{}", wrong.stderr);
    assert_eq!(wrong.stdout, "");
}

/// All functions of Go's templates and Docker's own, on an image.
#[test]
fn c050_c051_templates_and_several_names() {
    let project = Project::with("FROM busybox\nENV NAME=dojin\nLABEL a=1 b.c=2\nCMD [\"cat\", \"/x\"]\n");
    project.build_app();
    let id = project.inspect("app")["Id"].as_str().unwrap().to_owned();
    let hex = &id["sha256:".len()..];
    for (format, expected) in [
        ("{{.Id}}", id.as_str()),
        ("{{json .Config.Cmd}}", "[\"cat\",\"/x\"]"),
        ("{{join .Config.Cmd \" \"}}", "cat /x"),
        ("{{index (split .Id \":\") 0 | upper}}", "SHA256"),
        ("{{title .Os}} {{lower \"ABC\"}}", "Linux abc"),
        ("{{pad .Os 1 2}}|", " linux  |"),
        ("{{truncate .Os 3}}", "lin"),
        ("{{println .Os}}x", "linux\nx"),
        ("{{slice .Id 7 19}}", &hex[..12]),
        ("{{printf \"%s/%d\" .Os (len .RepoTags)}}", "linux/1"),
        ("{{range $key, $value := .Config.Labels}}{{$key}}={{$value}} {{end}}", "a=1 b.c=2 "),
        ("{{index .Config.Labels \"b.c\"}}{{index .Config.Labels \"none\"}}", "2"),
        ("{{if .Config.ExposedPorts}}ports{{else}}none{{end}} {{.Config.ExposedPorts}}", "none map[]"),
        ("{{.Config.Entrypoint}}{{.Config.Volumes}}{{.Config.StopSignal}}", "[]map[]"),
        ("{{html \"<b>\"}}{{urlquery \"a b\"}}", "&lt;b&gt;a+b"),
        ("{{range .Config.Env}}{{if eq . \"NAME=dojin\"}}{{.}}{{break}}{{end}}{{end}}", "NAME=dojin"),
    ] {
        for words in [&["inspect", "-f", format, "app"][..], &["image", "inspect", "--format", format, "app"]] {
            assert_eq!(project.ask(words), format!("{expected}\n"), "{format}");
        }
    }
    // Several, of which one is missing: the rest is shown, and the end tells of the failure.
    let some = project.onggi(["inspect", "-f", "{{.Id}}", "nothing", "app", "busybox"]).run().exits(1);
    assert_eq!(some.stdout, format!("{id}\n{}\n", project.inspect("busybox")["Id"].as_str().unwrap()));
    assert!(some.stderr.starts_with("error: no such object: nothing"), "{}", some.stderr);
    let list: Value =
        serde_json::from_str(&project.ask(&["image", "inspect", "-f", "json", "app", "busybox"])).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    // By type it is looked for nowhere else.
    assert_eq!(project.ask(&["inspect", "--type", "image", "-s", "-f", "{{.Os}}", "app"]), "linux\n");
    for kind in ["container", "network", "volume"] {
        let refused = project.onggi(["inspect", "--type", kind, "app"]).run().exits(1);
        assert_eq!(refused.stdout, "[]\n", "{kind}");
    }
}
