//! Commands about images.

use clap::{Args, ValueEnum};

/// List images
#[derive(Debug, Args)]
#[command(override_usage = "onggi images [OPTIONS] [REPOSITORY[:TAG]]")]
pub(crate) struct ImagesArgs {
    /// Show only images of this name; `*` stands for any text
    // More than one is a mistake that gets its own message (S234).
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub(crate) names: Vec<String>,
    /// Show intermediate images too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show digests
    #[arg(long)]
    pub(crate) digests: bool,
    /// Show what fits: dangling, pinned, label, before, since, until, reference
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub(crate) filters: Vec<String>,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Do not shorten IDs
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Print nothing but IDs
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Sort by `created`, `size` or `name`, each also with `:asc` or `:desc`
    #[arg(long, value_name = "KEY")]
    pub(crate) sort: Option<String>,
}

/// Show how an image was made
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Name or ID
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Choose the output: `table`, `json`, or a Go template
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Print sizes and dates for people [default: true]
    #[arg(
        short = 'H',
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        hide_default_value = true,
        action = clap::ArgAction::Set
    )]
    pub(crate) human: bool,
    /// Do not shorten anything
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Show it only if the image is for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Print nothing but IDs
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectType {
    Image,
    Container,
    Network,
    Volume,
}

/// Show all there is to know of images, containers and volumes
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Names or IDs
    #[arg(value_name = "NAME|ID", required = true)]
    pub(crate) names: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Measure what containers have written
    #[arg(short, long)]
    pub(crate) size: bool,
    /// Look only for objects of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) object_type: Option<ObjectType>,
    // Only `image inspect` has it.
    #[arg(skip)]
    pub(crate) platform: Option<String>,
}

/// Show all there is to know of images
#[derive(Debug, Args)]
pub(crate) struct ImageInspectArgs {
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
    /// Choose the output: `json`, or a Go template
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show only images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
}

impl From<ImageInspectArgs> for InspectArgs {
    fn from(args: ImageInspectArgs) -> Self {
        let object_type = Some(ObjectType::Image);
        Self { names: args.names, format: args.format, size: false, object_type, platform: args.platform }
    }
}

/// Give an image another name
#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// Name or ID
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    pub(crate) source: String,
    /// New name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    pub(crate) target: String,
}

/// Remove images
#[derive(Debug, Args)]
pub(crate) struct RmiArgs {
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// Remove even what stopped containers use
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Keep parents that have no name
    #[arg(long)]
    pub(crate) no_prune: bool,
    /// Remove only images for this platform; may be repeated
    #[arg(long = "platform", value_name = "OS/ARCH")]
    pub(crate) platforms: Vec<String>,
}

/// Fetch an image from a registry
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Name, with a tag or a digest
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) name: String,
    /// Fetch all tags of the repository
    #[arg(short, long)]
    pub(crate) all_tags: bool,
    /// Take the image for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Print nothing but the name
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Signatures of that kind are not looked at
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
}

/// Send an image to a registry
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Name, with the registry that it goes to
    #[arg(value_name = "NAME[:TAG]")]
    pub(crate) name: String,
    /// Send all tags of the repository
    #[arg(short, long)]
    pub(crate) all_tags: bool,
    /// Make sure that the image is for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Print nothing but the name
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Signatures of that kind are not made
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
}

/// Make an image of a tarball of files
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Tarball: a file, a URL, or `-` for standard input
    #[arg(value_name = "FILE|URL|-")]
    pub(crate) file: String,
    /// Name of the image
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub(crate) name: Option<String>,
    /// Apply a Dockerfile instruction to the image
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub(crate) changes: Vec<String>,
    /// Write a remark into the history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Say that the image is for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
}

/// Take images out of an archive
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Read a file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<std::path::PathBuf>,
    /// Take only images for this platform
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Do not show progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Put images into an archive
#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,
    /// Take only images for this platform; may be repeated
    #[arg(long = "platform", value_name = "OS/ARCH")]
    pub(crate) platforms: Vec<String>,
}
