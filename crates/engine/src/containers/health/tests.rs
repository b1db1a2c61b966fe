use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn c205_the_command_line_wins_over_the_image_field_by_field() {
    let image = ContainerConfig {
        healthcheck: Some(Healthcheck {
            test: words(&["CMD-SHELL", "curl -f localhost"]),
            interval: 5,
            retries: 7,
            ..Healthcheck::default()
        }),
        shell: words(&["/bin/ash", "-ec"]),
        ..ContainerConfig::default()
    };
    let settings = HealthSettings { retries: 2, ..HealthSettings::default() }.or_image(&image);
    assert_eq!((settings.interval, settings.retries), (5, 2));
    assert_eq!(settings.command(), Some(words(&["/bin/ash", "-ec", "curl -f localhost"])));
    let off = HealthSettings { test: words(&["NONE"]), ..HealthSettings::default() }.or_image(&image);
    assert_eq!(off.command(), None);
    let own = HealthSettings { test: words(&["CMD", "true"]), ..HealthSettings::default() };
    assert_eq!(own.or_image(&ContainerConfig::default()).command(), Some(words(&["true"])));
    assert_eq!(HealthSettings::default().or_image(&ContainerConfig::default()).command(), None);
}

#[test]
fn c205_settings_that_cannot_be_are_refused() {
    for (settings, message) in [
        (HealthSettings { interval: -1, ..HealthSettings::default() }, "--health-interval cannot be negative"),
        (HealthSettings { timeout: 1, ..HealthSettings::default() }, "timeout in Healthcheck cannot be less than 1ms"),
        (HealthSettings { retries: -1, ..HealthSettings::default() }, "--health-retries cannot be negative"),
    ] {
        assert_eq!(settings.check().unwrap_err().message, message);
    }
}
