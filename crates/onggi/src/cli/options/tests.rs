use super::*;

fn message(failure: Failure) -> String {
    let Failure::Problems { problems, .. } = failure else { panic!("{failure:?}") };
    format!("{}; {}", problems[0].message, problems[0].hint.as_deref().unwrap_or("no hint"))
}

#[test]
fn options_are_taken_by_name() {
    let mut options = Options::parse("--output", "Type=local,dest=a=b,dest=c,annotation.Key=V,on=T").unwrap();
    assert_eq!(options.take("type").as_deref(), Some("local"));
    assert_eq!(options.take("dest").as_deref(), Some("c"), "the last one counts");
    assert_eq!(options.take("dest"), None);
    assert_eq!(options.take_switch("on").unwrap(), Some(true));
    assert_eq!(options.take_switch("on").unwrap(), None);
    let keys =
        options.take_all(|name, value| Some(Ok((name.strip_prefix("annotation.")?.to_owned(), value.to_owned()))));
    assert_eq!(keys.unwrap(), [("Key".to_owned(), "V".to_owned())]);
    options.finish("type=local", &["dest"]).unwrap();
}

#[test]
fn mistakes_name_what_was_meant() {
    let parse = |text| Options::parse("--output", text);
    assert_eq!(
        message(parse("type=local,out").unwrap_err()),
        "`out` in `--output type=local,out` has no value; write each option as `NAME=VALUE`, with commas between"
    );
    assert!(message(parse("\"type=local").unwrap_err()).starts_with("`--output \"type=local` has a quote"));
    let mut options = parse("a=maybe,dst=x").unwrap();
    assert_eq!(
        message(options.take_switch("a").unwrap_err()),
        "`maybe` is not a value of `a` in `--output a=maybe,dst=x`; use `true` or `false`"
    );
    assert_eq!(
        message(options.finish("type=local", &["dest", "mode"]).unwrap_err()),
        "`type=local` has no option `dst`; did you mean `dest=…`?"
    );
    let unlike = parse("x=1").unwrap().finish("type=local", &["dest", "mode"]);
    assert_eq!(message(unlike.unwrap_err()), "`type=local` has no option `x`; it has `dest` or `mode`");
    assert_eq!(
        message(parse("a=b").unwrap().wrong("mode", "copi", &["copy", "delete"])),
        "`copi` is not a value of `mode` in `--output a=b`; did you mean `mode=copy`?"
    );
}
