use super::*;

fn scope(env: &[&str], args: &[(&str, Option<&str>)]) -> Scope {
    let mut scope = Scope { env: env.iter().map(|pair| (*pair).to_owned()).collect(), args: Vec::new() };
    for (name, value) in args {
        scope.declare(name, value.map(str::to_owned));
    }
    scope
}

#[test]
fn s147_the_environment_wins_over_arguments() {
    let scope = scope(&["A=env", "AB=x", "EMPTY="], &[("A", Some("arg")), ("B", Some("arg")), ("EMPTY", Some("y"))]);
    let table = [("A", Some("env")), ("B", Some("arg")), ("EMPTY", Some("")), ("C", None), ("", None)];
    for (name, value) in table {
        assert_eq!(scope.get(name), value, "{name}");
    }
    assert_eq!(scope.environment_for_run(&[]), ["A=env", "AB=x", "EMPTY=", "B=arg"]);
    let values: Vec<String> = scope.arguments_for_run().iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(values, ["A=env", "B=arg", "EMPTY="]);
}

#[test]
fn arguments_keep_their_place_and_their_value_until_there_is_another() {
    let mut scope = scope(&[], &[("A", Some("1")), ("B", None), ("A", None)]);
    assert_eq!(scope.environment_for_run(&[]), ["A=1"]);
    scope.declare("B", Some("2".to_owned()));
    scope.declare("A", Some("3".to_owned()));
    assert_eq!(scope.environment_for_run(&[]), ["A=3", "B=2"]);
}

#[test]
fn set_env_replaces_in_place() {
    let mut scope = scope(&["A=1", "AB=2"], &[]);
    scope.set_env("AB", "x=y");
    scope.set_env("C", "");
    scope.set_env("A", "");
    assert_eq!(scope.env, ["A=", "AB=x=y", "C="]);
    assert_eq!(scope.get("AB"), Some("x=y"));
}

#[test]
fn d031_proxies_that_were_given_reach_commands() {
    let given = [("http_proxy", "p"), ("other", "x"), ("NO_PROXY", "n")];
    let given: Vec<(String, String)> = given.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let arguments = Arguments::new(&given, &Platform::host(), &Platform::host());
    let predefined = arguments.predefined();
    assert_eq!(scope(&["http_proxy=own"], &[]).environment_for_run(&predefined), ["http_proxy=own", "NO_PROXY=n"]);
}
