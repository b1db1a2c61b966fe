use engine::SourceText;
use engine::calls::{Location, Outline, OutlineArg, OutlineMount, Target, Warning};

use super::{check_text, methods_text, outline_text, targets_text};

fn source(text: &str) -> SourceText {
    SourceText { name: "Dockerfile".to_owned(), text: text.as_bytes().to_vec() }
}

fn warning(rule: &str, message: &str, lines: std::ops::RangeInclusive<usize>) -> Warning {
    let rule = engine::progress::rules().iter().find(|known| known.name == rule).unwrap();
    Warning {
        rule,
        message: message.to_owned(),
        location: Location { first_line: *lines.start(), last_line: *lines.end() },
        span: engine::progress::Span { start: 0, end: 0 },
        help: None,
    }
}

/// D182, as buildx prints it.
#[test]
fn d182_findings_with_their_lines() {
    let file = source("FROM a\nRUN b\n\nCMD c \\\n  d\nLABEL \x1b[31mx=\u{202e}1\n");
    let help = Some("write `CMD [\"c\", \"d\"]`".to_owned());
    let found = [
        warning("StageNameCasing", "one line, the first", 1..=1),
        Warning { help, ..warning("JSONArgsRecommended", "several lines", 4..=5) },
        warning("LegacyKeyValueFormat", "the \x1b[1mlast", 6..=6),
        warning("NoEmptyContinuation", "behind the end", 9..=9),
    ];
    insta::assert_snapshot!(check_text(&found, false, &file), @r#"
    Check complete, 4 warnings have been found!

    WARNING: StageNameCasing
    one line, the first
    Dockerfile:1
    --------------------
       1 | >>> FROM a
       2 |     RUN b
       3 |
    --------------------

    WARNING: JSONArgsRecommended
    several lines
    Dockerfile:4
    --------------------
       3 |
       4 | >>> CMD c \
       5 | >>>   d
       6 |     LABEL \x1b[31mx=\u{202e}1
    --------------------
    hint: write `CMD ["c", "d"]`

    WARNING: LegacyKeyValueFormat
    the \x1b[1mlast
    Dockerfile:6
    --------------------
       4 |     CMD c \
       5 |       d
       6 | >>> LABEL \x1b[31mx=\u{202e}1
    --------------------

    WARNING: NoEmptyContinuation
    behind the end
    "#);
}

#[test]
fn d182_how_many_findings() {
    let file = source("FROM a\n");
    let one = warning("StageNameCasing", "x", 1..=1);
    let first = |found: &[Warning], is_wrong| check_text(found, is_wrong, &file).lines().next().map(str::to_owned);
    assert_eq!(first(&[], false).unwrap(), "Check complete, no warnings found.");
    assert_eq!(first(&[], true), None, "mistakes speak for themselves");
    assert_eq!(first(std::slice::from_ref(&one), true).unwrap(), "Check complete, 1 warning has been found!");
    assert_eq!(first(&[one.clone(), one], false).unwrap(), "Check complete, 2 warnings have been found!");
}

/// D180, as buildx prints it.
#[test]
fn d180_tables_of_what_a_target_takes() {
    let location = Location { first_line: 1, last_line: 1 };
    let arg = |name: &str, value: &str, description: &str| OutlineArg {
        name: name.to_owned(),
        description: description.to_owned(),
        value: value.to_owned(),
        location,
    };
    let mount = |name: &str, is_required| OutlineMount { name: name.to_owned(), is_required, location };
    let mut outline = Outline {
        name: "build".to_owned(),
        description: "compiles \x1b[2J".to_owned(),
        args: vec![arg("A", "", ""), arg("LONG_NAME", "one two", "what it is")],
        secrets: vec![mount("npm", true), mount("other", false)],
        ssh: vec![mount("default", false)],
    };
    insta::assert_snapshot!(outline_text(&outline), @r"
    TARGET:      build
    DESCRIPTION: compiles \x1b[2J

    BUILD ARG   VALUE     DESCRIPTION
    A                     
    LONG_NAME   one two   what it is

    SECRET   REQUIRED
    npm      true
    other    

    SSH       REQUIRED
    default
    ");
    outline.name = String::new();
    outline.args.clear();
    outline.secrets.clear();
    insta::assert_snapshot!(outline_text(&outline), @r"
    TARGET:      (default)
    DESCRIPTION: compiles \x1b[2J

    SSH       REQUIRED
    default
    ");
    assert_eq!(outline_text(&Outline::default()), "");
}

/// D181, as buildx prints it; a stage without a name by its number.
#[test]
fn d181_a_table_of_targets() {
    let target = |name: &str, description: &str, is_default| Target {
        name: name.to_owned(),
        is_default,
        description: description.to_owned(),
        base: "scratch".to_owned(),
        platform: String::new(),
        location: Location { first_line: 1, last_line: 1 },
    };
    let named = [target("build", "compiles", false), target("", "", false), target("app", "all of it", true)];
    insta::assert_snapshot!(targets_text(&named), @"
    TARGET        DESCRIPTION
    build         compiles
    1             
    app (default) all of it
    ");
    insta::assert_snapshot!(targets_text(&[target("", "x", true)]), @"
    TARGET    DESCRIPTION
    (default) x
    ");
}

#[test]
fn d181_a_table_of_what_can_be_asked() {
    insta::assert_snapshot!(methods_text(), @"
    NAME                 VERSION DESCRIPTION
    outline              1.0.0   List all parameters that a target of the Dockerfile takes
    targets              1.0.0   List all targets of the Dockerfile
    check                1.0.0   Check the Dockerfile, and look for mistakes
    subrequests.describe 1.0.0   List what can be asked of a Dockerfile
    ");
}
