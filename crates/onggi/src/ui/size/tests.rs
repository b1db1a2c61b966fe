use super::{binary_size, human_size};

/// S204, S217: three significant digits, base 1000.
#[test]
fn sizes_of_lists_have_three_significant_digits() {
    for (bytes, expected) in [
        (0, "0B"),
        (1, "1B"),
        (42, "42B"),
        (999, "999B"),
        (1000, "1kB"),
        (1004, "1kB"),
        (1005, "1kB"),
        (1010, "1.01kB"),
        (1500, "1.5kB"),
        (8_940, "8.94kB"),
        (8_945, "8.95kB"),
        (10_040, "10kB"),
        (99_950, "100kB"),
        (999_499, "999kB"),
        (999_500, "1MB"),
        (999_999, "1MB"),
        (1_000_000, "1MB"),
        (6_891_234, "6.89MB"),
        (7_611_111, "7.61MB"),
        (86_700_000, "86.7MB"),
        (120_000_000, "120MB"),
        (351_499_000, "351MB"),
        (560_200_000, "560MB"),
        (1_169_000_000, "1.17GB"),
        (u64::MAX, "18.4EB"),
    ] {
        assert_eq!(human_size(bytes, 3), expected, "{bytes}");
    }
}

/// S120, S271: four significant digits in disk use and build context.
#[test]
fn sizes_of_disk_use_have_four_significant_digits() {
    for (bytes, expected) in [
        (0, "0B"),
        (2_398, "2.398kB"),
        (2_404, "2.404kB"),
        (3_072, "3.072kB"),
        (5_120, "5.12kB"),
        (999_949, "999.9kB"),
        (999_950, "1000kB"),
        (1_169_000_000, "1.169GB"),
        (1_918_000, "1.918MB"),
    ] {
        assert_eq!(human_size(bytes, 4), expected, "{bytes}");
    }
}

#[test]
fn c231_sizes_of_memory_are_dockers() {
    for (bytes, text) in [(0, "0B"), (1536, "1.5KiB"), (2_087_000_000, "1.944GiB"), (64 << 20, "64MiB")] {
        assert_eq!(binary_size(bytes), text);
    }
}
