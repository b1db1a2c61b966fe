use super::*;
use crate::variables::DEFAULT_PATH;

/// Plans for a made-up platform, with the images `base` and `parent` (which has triggers).
fn plan(text: &str, target: Option<&str>) -> Result<Plan, Vec<Problem>> {
    let parsed = dockerfile::parse(text.as_bytes());
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    let platform = Platform { os: "linux".to_owned(), architecture: "arm".to_owned(), variant: Some("v7".to_owned()) };
    let find_image = |name: &str, _: &Platform| {
        let mut config = ImageConfig::scratch(&platform);
        match name {
            "base" => config.config.env = vec!["PATH=/bin".to_owned()],
            "parent" => config.config.on_build = vec!["ENV T=1".to_owned(), "RUN make".to_owned()],
            "broken" => config.config.on_build = vec!["FROM x".to_owned()],
            "unreadable" => return Err(ImageFailure { message: "its config is damaged".to_owned(), help: None }),
            _ => return Ok(None),
        }
        let digest = oci::Digest::of(name.as_bytes());
        Ok(Some(BaseImage { id: ImageId(digest), config, manifest: digest }))
    };
    let planner = Planner {
        times: crate::TimeOptions::default(),
        no_cache_filter: &[],
        dockerfile: &parsed.dockerfile,
        build_args: &[],
        labels: &[],
        platform: &platform,
        shows_platform: false,
        network: crate::RunNetwork::Default,
        is_classic: false,
        run: None,
        find_image: &find_image,
        named: &[],
        find_layout: &|_, _, _| unreachable!("no context names a layout"),
        similar_image: &|_| None,
    };
    planner.plan(parsed.dockerfile.target(target).unwrap())
}

/// Names of all steps, FROM included.
fn steps(text: &str) -> Vec<String> {
    let plan = plan(text, None).unwrap();
    let digest = |name: &str| name.split("@sha256:").next().unwrap_or_default().to_owned();
    let names = |stage: &StagePlan| {
        let steps = stage.steps.iter().map(|step| step.name.clone());
        std::iter::once(digest(&stage.from_name)).chain(steps).collect::<Vec<_>>()
    };
    plan.stages.iter().flatten().flat_map(names).collect()
}

fn errors(text: &str) -> String {
    let problems = plan(text, None).err().unwrap_or_default();
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn s107_steps_are_numbered_within_their_stage() {
    assert_eq!(
        steps("FROM base\nRUN a\nENV B=1\nRUN c"),
        ["[1/3] FROM docker.io/library/base", "[2/3] RUN a", "[3/3] RUN c"]
    );
    assert_eq!(
        steps("FROM base AS one\nRUN a\nFROM one\nRUN b\nCOPY --from=one a /"),
        [
            "[one 1/2] FROM docker.io/library/base",
            "[one 2/2] RUN a",
            "FROM one",
            "[stage-1 1/2] RUN b",
            "[stage-1 2/2] COPY --from=one a /"
        ]
    );
    // A single stage is not named, unless an image that is copied from makes it one of two.
    assert_eq!(steps("FROM scratch AS one\nRUN a"), ["FROM scratch", "[1/1] RUN a"]);
    assert_eq!(steps("FROM scratch\nCOPY --from=base a /"), ["FROM scratch", "[stage-0 1/1] COPY --from=base a /"]);
}

#[test]
fn d138_triggers_are_marked_and_all_counted() {
    assert_eq!(
        steps("FROM parent\nRUN own"),
        ["[1/4] FROM docker.io/library/parent", "[2/4] ONBUILD RUN make", "[3/4] RUN own"]
    );
    assert!(errors("FROM broken").contains("the base image has an ONBUILD that cannot be used, `FROM x`"));
}

#[test]
fn d032_platform_arguments_are_global() {
    let plan = plan("FROM base\nARG TARGETPLATFORM\nENV P=$TARGETPLATFORM\nENV V=$TARGETVARIANT", None);
    let plan = plan.unwrap();
    let config = &plan.stages[0].as_ref().unwrap().config.config;
    assert_eq!(config.env, ["PATH=/bin", "P=linux/arm/v7", "V="]);
}

#[test]
fn problems_of_bases() {
    assert_eq!(errors("FROM unreadable"), "its config is damaged");
    assert_eq!(errors("FROM Base"), errors("FROM Base"));
    assert!(!errors("FROM Base!").is_empty());
    assert_eq!(errors("FROM --platform=x base"), "platform `x` is not of the form os/architecture[/variant]");
    // One run reports them all.
    assert_eq!(
        errors(
            "FROM nothere AS a\nFROM neither AS b\nFROM base\nCOPY --from=a x /\nCOPY --from=b x /\nCOPY --from=nor x /"
        )
        .lines()
        .count(),
        3
    );
}

#[test]
fn d078_what_copies_from_a_broken_stage_is_not_reported_twice() {
    let text = "FROM base AS one\nARG M=x\nCOPY --chmod=$M a /\nFROM base\nCOPY --from=one a /";
    assert_eq!(errors(text), "`x` has no `+`, `-` or `=`");
}

#[test]
fn scratch_has_a_path_and_a_working_directory() {
    let plan = plan("FROM scratch\nENV A=1", None).unwrap();
    let config = &plan.stages[0].as_ref().unwrap().config;
    assert_eq!(config.config.env, [format!("PATH={DEFAULT_PATH}"), "A=1".to_owned()]);
    assert_eq!(config.config.working_dir, "/");
    assert_eq!(config.architecture, "arm");
}
