//! The classic dialect beside Docker's own classic builder: the same Dockerfiles, line for line (S120 to S129).
//!
//! Compared are both outputs with names for IDs, the exit codes, and after each build a second one that finds everything.
//! What differs by decision is left out of the Dockerfiles: stages that nothing needs (Docker builds them), output without
//! a line end (here one is added), mistakes (here they are found before the first step).

use std::path::Path;

use testkit::{Command, Dockerd, Normaliser};

use crate::project::Project;

const CASES: &[(&str, &str, i32)] = &[
    (
        "note 4",
        "FROM busybox\nMAINTAINER your-name <your-email@example.com>\nLABEL \"purpose\"=\"practice\"\n\
         RUN echo \"Reading package lists...\"; echo; echo done\nADD a.txt /var/www/html/\nWORKDIR /var/www/html\n\
         RUN [\"/bin/sh\", \"-c\", \"echo hello > test2.html\"]\nEXPOSE 80\nCMD apachectl -DFOREGROUND\n",
        0,
    ),
    (
        "every instruction",
        "ARG G=busybox\n# comment\nFROM $G AS first\nARG V=1\nENV A=b  C=\"d e\"\nrun echo \\\n   1 \\\n # comment\n  2\n\
         COPY a.txt folder ./\nADD --chown=1:1 a.txt /x/\nUSER root\nVOLUME /data\nSTOPSIGNAL 9\n\
         HEALTHCHECK --interval=5s CMD true\nSHELL [\"/bin/sh\",\"-ec\"]\nONBUILD RUN echo trig\n\
         ENTRYPOINT [\"/bin/sh\"]\nCMD echo hello $A\nFROM first\nFROM busybox\nCOPY --from=0 /a.txt /b\n\
         COPY --from=1 /a.txt /c\nWORKDIR .\nWORKDIR /w\n",
        0,
    ),
    ("triggers", "FROM onbuild\nCMD [\"x\"]\n", 0),
    ("scratch", "FROM scratch\nCOPY a.txt /\n", 0),
    ("a failure", "FROM busybox\nRUN echo out; echo more; exit 7\nCMD x\n", 7),
];

/// Lines as they stay on the screen, with names for what differs each time.
fn lines(output: &str) -> Vec<String> {
    let mut names = Normaliser::default();
    output.replace('\r', "").lines().map(|line| names.apply(line)).collect()
}

fn build(command: Command, context: &Path, code: i32) -> Vec<String> {
    // The way out needs a bridge, which belongs to whoever started it first.
    let arguments = ["build", "--network", "none", "-t", "app", "-t", "app:v2", "--label", "a=b"];
    let command = command.arguments(arguments).arguments([context]).env("DOCKER_BUILDKIT", "0");
    let output = command.run().exits(code);
    lines(&output.stdout)
}

#[test]
#[ignore = "requires root, docker"]
fn s120_to_s129_classic_lines_are_dockers_requires_root() {
    let project = Project::new();
    let base = project.sandbox.path().join("base.tar");
    project.file("onbuild/Dockerfile", "FROM busybox\nONBUILD RUN echo trigger\nONBUILD COPY a.txt /t\n");
    project.ask(&["build", "-q", "-t", "onbuild", "onbuild"]);
    project.ask(&["save", "-o", base.to_str().unwrap(), "busybox", "onbuild"]);
    let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
    let docker = || {
        let std = daemon.docker();
        let mut command = project.sandbox.command(std.get_program());
        for (name, value) in std.get_envs() {
            command = command.env(name, value.unwrap());
        }
        command.arguments(std.get_args())
    };
    docker().arguments(["load", "-i"]).arguments([&base]).run().success();
    for (name, dockerfile, code) in CASES {
        let folder = format!("case-{}", name.replace(' ', "-"));
        for (file, text) in [
            ("Dockerfile", *dockerfile),
            ("a.txt", "a\n"),
            ("folder/inner", "inner\n"),
            ("ignored", &"x".repeat(5000)),
            (".dockerignore", "ignored\nDockerfile\n"),
        ] {
            project.file(&format!("{folder}/{file}"), text);
        }
        let context = project.sandbox.work().join(&folder);
        for round in ["the first time", "again"] {
            let theirs = build(docker(), &context, *code);
            let ours = build(project.onggi([""; 0]), &context, *code);
            assert!(theirs.len() > 4, "{theirs:?}");
            assert_eq!(ours, theirs, "{name}, {round}");
        }
    }
}
