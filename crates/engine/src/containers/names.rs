//! Names for containers that were given none: two words that are easy to say, chosen by the ID.

const FIRST: [&str; 32] = [
    "amber", "azure", "bold", "brave", "bright", "calm", "clever", "cosy", "crisp", "deft", "eager", "fair", "fine",
    "gentle", "glad", "golden", "grand", "happy", "keen", "kind", "lively", "lucid", "mellow", "merry", "neat",
    "proud", "quick", "quiet", "ruby", "silver", "sunny", "warm",
];
const SECOND: [&str; 32] = [
    "basin", "bowl", "brick", "celadon", "clay", "crock", "cup", "ewer", "flask", "glaze", "goblet", "hearth", "jar",
    "jug", "kettle", "kiln", "ladle", "lid", "mortar", "moon", "mug", "pan", "pestle", "pitcher", "plate", "pot",
    "saucer", "shard", "stove", "teapot", "tile", "vase",
];

/// A name such as `quiet_kiln3f2`: the last digits keep two containers apart.
pub(crate) fn random_name(id: &str) -> String {
    let digit = |place: usize| usize::from_str_radix(id.get(place..place + 2).unwrap_or("0"), 16).unwrap_or(0);
    let tail = id.get(8..12).unwrap_or("0");
    format!("{}_{}_{tail}", FIRST[digit(0) % FIRST.len()], SECOND[digit(2) % SECOND.len()])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_comes_from_the_id() {
        assert_eq!(super::random_name("0001aaaabbbbcccc"), "amber_bowl_bbbb");
        assert_eq!(super::random_name(""), "amber_basin_0");
    }
}
