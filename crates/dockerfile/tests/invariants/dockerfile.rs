//! What holds of every text that is read as a Dockerfile. The property tests and the fuzzer look for a text for which
//! it does not; this file is part of both.

use dockerfile::{
    BaseFacts, Checks, Dockerfile, Expander, Instruction, InstructionKind, LintInput, Location, SourceMap, Span,
    Surroundings, Word, lint, outline, parse, parse_trigger, targets,
};

/// Parses, checks, expands and outlines; panics when something does not hold.
pub(crate) fn check_dockerfile(bytes: &[u8]) {
    let parsed = parse(bytes);
    assert_eq!(parsed, parse(bytes), "the same text is read the same way");
    let map = SourceMap::new(bytes);
    for problem in &parsed.diagnostics {
        within(problem.span, bytes);
        assert!(!problem.message.is_empty());
        let place = map.line_column(problem.span.start);
        // What is missing at the end stands behind the last line.
        assert!(place.line >= 1 && place.line <= map.line_count() + 1 && place.column >= 1);
    }
    assert!(parsed.diagnostics.windows(2).all(|pair| pair[0].span.start <= pair[1].span.start), "in order");
    let dockerfile = &parsed.dockerfile;
    assert!(parsed.has_errors() || !dockerfile.stages.is_empty());
    for stage in &dockerfile.stages {
        within(stage.span, bytes);
        word(&stage.base, bytes);
        stage.name.iter().chain(&stage.platform).for_each(|one| word(one, bytes));
    }
    let stages = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    for one in dockerfile.global_args.iter().chain(stages) {
        instruction(one, bytes);
    }
    if !parsed.has_errors() && dockerfile.directives.escape == '\\' {
        triggers_are_read_back(dockerfile);
    }
    ask(dockerfile, parsed.has_errors(), &map, bytes);
}

/// Reads a text as a trigger.
pub(crate) fn check_trigger(text: &str) {
    match parse_trigger(text) {
        Ok(trigger) => instruction(&trigger, text.as_bytes()),
        Err(problems) => {
            assert!(problems.iter().any(dockerfile::Diagnostic::is_error));
            problems.iter().for_each(|problem| within(problem.span, text.as_bytes()));
        }
    }
}

/// What is known of the base image of a stage.
type Bases<'a> = &'a dyn Fn(usize, &str) -> Option<BaseFacts>;

/// Checks, outline and targets: with and without what is known of base images.
fn ask(dockerfile: &Dockerfile, has_errors: bool, map: &SourceMap<'_>, bytes: &[u8]) {
    let build_args = [("A".to_owned(), "given".to_owned()), ("BASE".to_owned(), "alpine".to_owned())];
    let platform_args = [("TARGETPLATFORM".to_owned(), "linux/amd64".to_owned())];
    let known = |_: usize, name: &str| {
        name.len().is_multiple_of(2).then(|| BaseFacts {
            env: vec!["PATH=/bin".to_owned(), "X=${Y}".to_owned()],
            has_shell: name.len().is_multiple_of(3),
            on_build: vec!["ENV T=1".to_owned(), "ARG U".to_owned(), "NONSENSE".to_owned()],
            platform: "linux/arm64".to_owned(),
        })
    };
    let unknown = |_: usize, _: &str| None;
    let bases: [Bases<'_>; 2] = [&known, &unknown];
    let place = |location: Location| {
        assert!(location.first_line >= 1 && location.first_line <= location.last_line);
        assert!(location.last_line <= map.line_count(), "{location:?}");
    };
    let all = Checks { experimental_all: true, ..Checks::default() };
    for bases in bases {
        let around = Surroundings { build_args: &build_args, platform_args: &platform_args, bases };
        let input = LintInput {
            dockerfile,
            stages: None,
            around,
            target_platform: "linux/amd64",
            ignore_file: None,
            is_image_name: &|name| !name.is_empty() && name.is_ascii(),
            has_errors,
        };
        for found in lint(&input, &all) {
            within(found.span, bytes);
            place(found.location);
            assert!(!found.message.is_empty() && found.help.as_deref() != Some(""));
        }
        for index in 0..dockerfile.stages.len().min(4) {
            let outline = outline(dockerfile, index, around);
            outline.args.iter().for_each(|arg| place(arg.location));
            outline.secrets.iter().chain(&outline.ssh).for_each(|mount| place(mount.location));
            assert!(dockerfile.needed_stages(index, &|_| None, &|_| None).contains(&index));
        }
    }
    let targets = targets(dockerfile);
    assert_eq!(targets.len(), dockerfile.stages.len());
    for (number, target) in targets.iter().enumerate() {
        place(target.location);
        assert_eq!(target.is_default, number + 1 == targets.len());
        assert!(dockerfile.target(Some(&number.to_string())).is_ok());
        assert!(target.name.is_empty() || dockerfile.target(Some(&target.name)).is_ok());
    }
}

/// What an image of this file would hold for its children can be read.
fn triggers_are_read_back(dockerfile: &Dockerfile) {
    let all = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    for trigger in all.filter_map(|instruction| match &instruction.kind {
        InstructionKind::OnBuild(trigger) => Some(trigger),
        _ => None,
    }) {
        let read = parse_trigger(&trigger.text);
        let same = |read: &Instruction| {
            std::mem::discriminant(&read.kind) == std::mem::discriminant(&trigger.instruction.kind)
        };
        assert!(read.as_ref().is_ok_and(same), "{:?}: {read:?}", trigger.text);
    }
}

fn instruction(one: &Instruction, bytes: &[u8]) {
    within(one.span, bytes);
    assert!(one.first_line >= 1 && one.first_line <= one.last_line);
    assert!(one.last_line <= SourceMap::new(bytes).line_count());
    let words: Vec<&Word> = match &one.kind {
        InstructionKind::Copy(copy) => copy.sources.iter().chain([&copy.destination]).chain(&copy.excludes).collect(),
        InstructionKind::Add(add) => add.sources.iter().chain([&add.destination]).chain(&add.excludes).collect(),
        InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
            pairs.iter().flat_map(|pair| [&pair.key, &pair.value]).collect()
        }
        InstructionKind::Arg(declarations) => {
            declarations.iter().flat_map(|one| [&one.name].into_iter().chain(&one.default)).collect()
        }
        InstructionKind::Expose(words) | InstructionKind::Volume(words) => words.iter().collect(),
        InstructionKind::User(one) | InstructionKind::Workdir(one) | InstructionKind::StopSignal(one) => vec![one],
        InstructionKind::OnBuild(trigger) => {
            instruction(&trigger.instruction, bytes);
            Vec::new()
        }
        InstructionKind::Run(run) => {
            for document in &run.heredocs {
                within(document.span, bytes);
                within(document.body.span, bytes);
            }
            run.mounts.iter().map(|mount| &mount.text).collect()
        }
        _ => Vec::new(),
    };
    words.into_iter().for_each(|one| word(one, bytes));
}

/// A word stands in the file, and can be expanded or is refused at a place of its own.
fn word(one: &Word, bytes: &[u8]) {
    within(one.span, bytes);
    let value = |name: &str| match name.len() % 3 {
        0 => None,
        1 => Some(""),
        _ => Some("a/*b$c"),
    };
    for escape in ['\\', '`'] {
        for expander in [Expander::new(escape), Expander::for_display(escape), Expander::for_heredoc(escape)] {
            if let Err(error) = expander.expand(&one.text, &value) {
                assert!(error.offset <= one.text.len());
            }
        }
        let expanded = Expander::new(escape).expand(&one.text, &value);
        assert!(Expander::new(escape).check(&one.text).is_ok() || expanded.is_err(), "{}", one.text);
        drop(Expander::new(escape).expand_words(&one.text, &value));
    }
}

fn within(span: Span, bytes: &[u8]) {
    assert!(span.start <= span.end && span.end <= bytes.len(), "{span:?} in {}", bytes.len());
}
