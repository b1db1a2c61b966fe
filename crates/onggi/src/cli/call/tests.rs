use super::{Call, Format, Method};

/// B024: buildx's words.
#[test]
fn b024_calls_and_their_options() {
    let call = |method, format, ignores_status| Ok(Call { method, format, ignores_status });
    for (text, expected) in [
        ("build", call(Method::Build, Format::Text, false)),
        ("check", Ok(Call::CHECK)),
        ("lint", Ok(Call::CHECK)),
        ("check,format=json", call(Method::Check, Format::Json, false)),
        ("format=json,check,ignorestatus", call(Method::Check, Format::Json, true)),
        ("check,ignorestatus=false", Ok(Call::CHECK)),
        ("outline,format=text", call(Method::Outline, Format::Text, false)),
        ("targets", call(Method::Targets, Format::Text, false)),
        ("subrequests.describe", call(Method::Describe, Format::Text, false)),
    ] {
        assert_eq!(text.parse(), expected, "{text}");
    }
    for (text, error) in [
        (
            "outlin",
            "`outlin` cannot be called; there are `build`, `check`, `outline`, `targets` and `subrequests.describe`",
        ),
        ("", "`` cannot be called; there are `build`, `check`, `outline`, `targets` and `subrequests.describe`"),
        ("check,format=xml", "`xml` is no format of a call; there are `text` and `json`"),
        ("check,color=red", "`color` is no option of a call; there are `format` and `ignorestatus`"),
        ("check,ignorestatus=x", "`x` is no value of `ignorestatus`; there are `true` and `false`"),
    ] {
        assert_eq!(text.parse::<Call>(), Err(error.to_owned()), "{text}");
    }
}
