use super::*;

fn resolved(text: &str, given: &[(&str, &str)], options: TimeOptions) -> Result<Option<String>, String> {
    let dockerfile = dockerfile::parse(text.as_bytes()).dockerfile;
    let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut arguments = Arguments::new(&given, &oci::Platform::host(), &oci::Platform::host());
    for instruction in &dockerfile.global_args {
        let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
        for declaration in declarations {
            let default = declaration.default.as_ref().map(|word| word.text.clone());
            arguments.global.extend(default.map(|value| (declaration.name.text.clone(), value)));
        }
    }
    let mut problems = Vec::new();
    let epoch = resolve(options, &dockerfile, &mut arguments, &mut problems);
    match problems.first() {
        Some(problem) => Err(format!("{} at {}", problem.message, &text[problem.span.start..problem.span.end])),
        None => Ok(epoch.map(Epoch::text)),
    }
}

const PLAIN: TimeOptions = TimeOptions { is_reproducible: false, keeps_file_times: false };
const REPRODUCIBLE: TimeOptions = TimeOptions { is_reproducible: true, keeps_file_times: false };

#[test]
fn b093_the_moment_is_that_of_the_command_line_then_of_the_dockerfile() {
    let dockerfile = "ARG SOURCE_DATE_EPOCH=86400\nFROM scratch\n";
    let given = |value| resolved(dockerfile, &[("SOURCE_DATE_EPOCH", value)], PLAIN);
    assert_eq!(given("1700000000"), Ok(Some("2023-11-14T22:13:20Z".to_owned())));
    assert_eq!(resolved(dockerfile, &[], PLAIN), Ok(Some("1970-01-02T00:00:00Z".to_owned())));
    assert_eq!(resolved("FROM scratch\n", &[], PLAIN), Ok(None));
    // As buildx has it: an empty value takes the variable away, and a folder has no time of its own.
    assert_eq!(given(""), Ok(None));
    assert_eq!(given("context"), Ok(None));
}

#[test]
fn b094_reproducible_without_a_moment_takes_the_beginning_of_time() {
    let begin = Ok(Some("1970-01-01T00:00:00Z".to_owned()));
    assert_eq!(resolved("FROM scratch\n", &[], REPRODUCIBLE), begin);
    assert_eq!(resolved("FROM scratch\n", &[("SOURCE_DATE_EPOCH", "context")], REPRODUCIBLE), begin);
    let dockerfile = "ARG SOURCE_DATE_EPOCH=86400\nFROM scratch\n";
    assert_eq!(resolved(dockerfile, &[], REPRODUCIBLE), Ok(Some("1970-01-02T00:00:00Z".to_owned())));
}

#[test]
fn b093_values_that_are_no_time_are_refused() {
    for wrong in ["yesterday", "-1", "+1", "1.5", " 1", "0x10", "253402300800", "99999999999999999999"] {
        let given = [("SOURCE_DATE_EPOCH".to_owned(), wrong.to_owned())];
        let error = check(&given).unwrap_err();
        assert_eq!(error.to_string(), format!("`{wrong}` is not a value of SOURCE_DATE_EPOCH"));
        assert!(error.hint().contains("SOURCE_DATE_EPOCH=$(git log"));
    }
    for right in ["0", "00", "253402300799", "", "context"] {
        check(&[("SOURCE_DATE_EPOCH".to_owned(), right.to_owned())]).unwrap();
    }
    // The last one counts.
    check(&[("SOURCE_DATE_EPOCH".to_owned(), "x".to_owned()), ("SOURCE_DATE_EPOCH".to_owned(), "1".to_owned())])
        .unwrap();
    let error = resolved("ARG A=1 SOURCE_DATE_EPOCH=soon\nFROM scratch\n", &[], PLAIN).unwrap_err();
    assert_eq!(error, "`soon` is not a value of SOURCE_DATE_EPOCH at soon");
}
