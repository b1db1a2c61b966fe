//! The classic builder's way: what is told of each instruction, and the image that is kept of it (S120 to S129, S306).

use builder::{BuildRequest, ClassicRequest, Event, InstructionEvent};
use oci::ImageId;

use crate::kitchen::{Kitchen, Outcome};

fn classic(request: &mut BuildRequest) {
    request.classic = Some(ClassicRequest { dockerfile_path: Some("Dockerfile".to_owned()) });
}

/// The classic events in few words, each image as a letter in the order in which it is met.
fn told(outcome: &Outcome<'_>, images: &mut Vec<ImageId>) -> String {
    let mut letter = |id: ImageId| {
        let place = images.iter().position(|known| *known == id).unwrap_or_else(|| {
            images.push(id);
            images.len() - 1
        });
        char::from(b'a' + u8::try_from(place).unwrap())
    };
    let mut text = String::new();
    let mut containers = Vec::new();
    for event in &outcome.events {
        let Event::Instruction(event) = event else { continue };
        text += &match event {
            InstructionEvent::Context { size } => format!("context {size}"),
            InstructionEvent::Begun { number, total, text } => format!("\n{number}/{total} {text}:"),
            InstructionEvent::Triggers { count } => format!(" triggers {count}"),
            InstructionEvent::Running { container, .. } => {
                assert!(container.len() == 64 && !containers.contains(container), "{container}");
                containers.push(container.clone());
                " running".to_owned()
            }
            InstructionEvent::Ran => " ran".to_owned(),
            InstructionEvent::UsingCache => " cached".to_owned(),
            InstructionEvent::Image(None) => " none".to_owned(),
            InstructionEvent::Image(Some(id)) => format!(" {}", letter(*id)),
            InstructionEvent::NotNeeded => " not needed".to_owned(),
            InstructionEvent::Built(id) => format!("\nbuilt {}", letter(*id)),
            InstructionEvent::Tagged(name) => format!("\ntagged {name}"),
        };
    }
    text
}

const FILE: &str = "ARG G=1\nFROM base AS first\nENV A=b\nrun say \\\n  hi\nFROM base as unused\nRUN nothing\nFROM first\n\
                    COPY a /\nWORKDIR .\nWORKDIR /w\nCMD [\"x\"]\n";

#[test]
fn s121_to_s129_every_instruction_is_told_with_its_image() {
    let kitchen = Kitchen::with("a=1");
    let base = image::find(&kitchen.store, "base").unwrap().unwrap();
    let mut images = vec![base];
    let named = |request: &mut BuildRequest| {
        classic(request);
        request.tags = vec!["app".parse().unwrap(), "app:v2".parse().unwrap()];
    };
    let first = kitchen.build_as(FILE, named);
    assert_eq!(
        told(&first, &mut images),
        "context 3072\n\
         1/11 ARG G=1:\n2/11 FROM base AS first: a\n3/11 ENV A=b: running ran b\n4/11 run say   hi: running ran c\n\
         5/11 FROM base as unused: not needed\n6/11 RUN nothing: not needed\n7/11 FROM first: c\n\
         8/11 COPY a /: d\n9/11 WORKDIR .: running ran e\n10/11 WORKDIR /w: running ran f\n\
         11/11 CMD [\"x\"]: running ran g\nbuilt g\ntagged app:latest\ntagged app:v2"
    );
    assert_eq!(kitchen.recorder.calls(), "/bin/sh -c say   hi A=b", "what is not needed does not run");
    // Everything is there: the same images, and nothing is written.
    let before = kitchen.snapshot();
    let again = kitchen.build_as(FILE, |request| {
        classic(request);
    });
    assert_eq!(
        told(&again, &mut images),
        "context 3072\n\
         1/11 ARG G=1:\n2/11 FROM base AS first: a\n3/11 ENV A=b: cached b\n4/11 run say   hi: cached c\n\
         5/11 FROM base as unused: not needed\n6/11 RUN nothing: not needed\n7/11 FROM first: c\n\
         8/11 COPY a /: cached d\n9/11 WORKDIR .: cached e\n10/11 WORKDIR /w: cached f\n\
         11/11 CMD [\"x\"]: cached g\nbuilt g"
    );
    kitchen.let_files_age();
    kitchen.build_as(FILE, classic);
    let settled = kitchen.snapshot();
    kitchen.build_as(FILE, classic);
    assert_eq!(kitchen.snapshot(), settled);
    assert_eq!(before.len(), settled.len(), "no file more");
}

/// Decision 0013.
#[test]
fn s306_the_images_are_those_of_shorter_dockerfiles() {
    let kitchen = Kitchen::with("a=1");
    let base = image::find(&kitchen.store, "base").unwrap().unwrap();
    let file = "FROM base\nENV A=1\nCOPY a /\nENV A=2\nUSER app\nMAINTAINER me\nRUN say\nCMD [\"x\"]";
    let mut images = vec![base];
    let whole = kitchen.build_as(file, classic);
    told(&whole, &mut images);
    assert_eq!((images.len(), *images.last().unwrap()), (8, whole.id()));
    // Parents lead from the last to the base (X4, S211).
    for (child, parent) in images[1..].iter().zip(&images) {
        assert_eq!(kitchen.store.parent(*child).unwrap(), Some(*parent));
    }
    // Built in the other way afterwards, with the same layers and nothing run again.
    kitchen.recorder.forget();
    for lines in 2..=8 {
        let shorter: Vec<&str> = file.lines().take(lines).collect();
        assert_eq!(kitchen.build(&shorter.join("\n")).id(), images[lines - 1], "{lines}");
    }
    assert_eq!(kitchen.recorder.calls(), "");
    let config = kitchen.store.image(images[3]).unwrap().config;
    assert_eq!((config.env.last().unwrap().as_str(), config.user.as_str()), ("A=2", ""));
    assert_eq!(kitchen.store.image(images[4]).unwrap().author, None);
    assert_eq!(kitchen.store.image(images[5]).unwrap().author.as_deref(), Some("me"));
}

#[test]
fn s123_results_of_other_builds_are_used() {
    let kitchen = Kitchen::with("a=1");
    let file = "FROM base\nCOPY a /\nRUN say\nCMD [\"x\"]";
    let other = kitchen.build(file).id();
    kitchen.recorder.forget();
    let outcome = kitchen.build_as(file, classic);
    let text = told(&outcome, &mut Vec::new());
    assert!(text.contains("COPY a /: cached b\n3/4 RUN say: cached c\n4/4 CMD [\"x\"]: cached d"), "{text}");
    assert_eq!((outcome.id(), kitchen.recorder.calls()), (other, String::new()));
    assert!(kitchen.store.parent(other).unwrap().is_some(), "the parent is known from now on");
}

#[test]
fn s122_what_comes_before_a_failure_stays() {
    let kitchen = Kitchen::new();
    let mut images = Vec::new();
    let outcome = kitchen.build_as("FROM base\nENV A=1\nRUN exit 3\nCMD x", classic);
    assert!(told(&outcome, &mut images).ends_with("2/4 ENV A=1: running ran b\n3/4 RUN exit 3: running"));
    assert!(kitchen.store.has_image(images[1]).unwrap());
    let outcome = kitchen.build_as("FROM base\nCOPY nothere /", classic);
    assert_eq!(told(&outcome, &mut images), "context 2048", "mistakes are found before anything runs");
}

#[test]
fn s121_triggers_belong_to_from_and_labels_are_instructions() {
    let kitchen = Kitchen::with("a=1");
    kitchen.image("trigger", crate::kitchen::BASE, r#"{"OnBuild":["RUN say","COPY a /x"]}"#);
    let labelled = |request: &mut BuildRequest| {
        classic(request);
        request.labels = vec![("q".to_owned(), "r".to_owned()), ("s".to_owned(), "t".to_owned())];
    };
    let outcome = kitchen.build_as("FROM trigger\nCMD x", labelled);
    let mut images = Vec::new();
    assert_eq!(
        told(&outcome, &mut images),
        "context 3072\n1/4 FROM trigger: triggers 2 running ran a\n2/4 CMD x: running ran b\n\
         3/4 LABEL q=r: running ran c\n4/4 LABEL s=t: running ran d\nbuilt d"
    );
    let labels = |id: ImageId| kitchen.store.image(id).unwrap().config.labels.len();
    assert_eq!(images.iter().map(|id| labels(*id)).collect::<Vec<_>>(), [0, 0, 1, 2]);
    let plain = kitchen.build_as("FROM trigger\nCMD x", |request| {
        request.labels = vec![("q".to_owned(), "r".to_owned()), ("s".to_owned(), "t".to_owned())];
    });
    assert_eq!(plain.id(), images[3]);
    let scratch = kitchen.build_as("FROM scratch\nCOPY a /", classic);
    assert!(told(&scratch, &mut Vec::new()).contains("FROM scratch: none\n2/2 COPY a /: a\nbuilt a"));
    let alone = kitchen.build_as("FROM base", classic);
    assert_eq!(alone.id(), kitchen.build("FROM base").id());
}

#[test]
fn s120_the_size_of_the_context_follows_the_ignore_file() {
    let kitchen = Kitchen::with("a=1 big/b=12345 big/c=1");
    let size = |file: &str, path: Option<&str>| {
        let outcome = kitchen.build_as(file, |request| {
            request.classic = Some(ClassicRequest { dockerfile_path: path.map(str::to_owned) });
        });
        let text = told(&outcome, &mut Vec::new());
        text.lines().next().unwrap().strip_prefix("context ").unwrap().parse::<u64>().unwrap() / 512 - 2
    };
    let dockerfile = "FROM base\nCMD x";
    assert_eq!(size(dockerfile, Some("Dockerfile")), 2 + 2 + 1 + 2 + 2);
    kitchen.files(".dockerignore=big\\nDockerfile\\n.dockerignore Dockerfile=x");
    assert_eq!(size(dockerfile, Some("Dockerfile")), 2 + 2 + 2, "both are sent in any case");
    assert_eq!(size(dockerfile, None), 2 + 2 + 2, "as if it were in the context");
}

/// As in the names of steps, credentials in addresses are not told.
#[test]
fn s121_credentials_are_not_told() {
    let kitchen = Kitchen::with("a=1");
    let outcome =
        kitchen.build_as("FROM base AS x\nADD https://me:canary@example.invalid/f /\nFROM base\nCOPY a /", classic);
    let text = told(&outcome, &mut Vec::new());
    assert!(text.contains("ADD https://") && text.contains("not needed") && !text.contains("canary"), "{text}");
}
