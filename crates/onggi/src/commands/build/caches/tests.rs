//! Values of `--cache-from` and `--cache-to`.

use super::*;

fn args(from: &[&str], to: &[&str]) -> CacheArgs {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    CacheArgs {
        no_cache: false,
        no_cache_filter: Vec::new(),
        pull: false,
        cache_from: owned(from),
        cache_to: owned(to),
    }
}

fn error(from: &[&str], to: &[&str]) -> String {
    match caches(&args(from, to)) {
        Ok(found) => panic!("{from:?} {to:?}: {found:?}"),
        Err(Failure::Problems { problems, .. }) => {
            format!("{}; {}", problems[0].message, problems[0].hint.clone().unwrap_or_default())
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn b073_folders_with_all_their_options() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let last = format!("type=local,src=x,digest={digest}");
    let (from, _) = caches(&args(&["type=local,src=a/b", "src=/c d,type=local,tag=v1", &last], &[])).unwrap();
    let shown: Vec<String> = from
        .iter()
        .map(|import| format!("{} {} {:?}", import.folder.display(), import.tag, import.digest.is_some()))
        .collect();
    assert_eq!(shown, ["a/b latest false", "/c d v1 false", "x latest true"]);
    for (typed, expected) in [
        ("type=local,dest=d", "d latest Min Gzip { level: 6 } false Oci false false"),
        ("type=local,dest=d,mode=MAX,tag=t", "d t Max Gzip { level: 6 } false Oci false false"),
        (
            "type=local,dest=d,compression=zstd,compression-level=19,force-compression=true",
            "d latest Min Zstd { level: 19 } true Oci false false",
        ),
        (
            "type=local,dest=d,compression=uncompressed,oci-mediatypes=false,image-manifest=true",
            "d latest Min Uncompressed false Docker false false",
        ),
        (
            "\"type=local\",\"dest=a,b\",ignore-error=1,reset=true",
            "a,b latest Min Gzip { level: 6 } false Oci true true",
        ),
    ] {
        let (_, to) = caches(&args(&[], &[typed])).unwrap();
        let CacheExport { folder, tag, mode, encoding, forces_compression, media_types, ignores_errors, resets } =
            &to[0];
        let shown = format!(
            "{} {tag} {mode:?} {encoding:?} {forces_compression} {media_types:?} {ignores_errors} {resets}",
            folder.display()
        );
        assert_eq!(shown, expected, "{typed}");
    }
}

#[test]
fn b073_mistakes_and_what_is_not_there_yet() {
    for (typed, expected) in [
        ("type=local", "has no folder to read; name one: `type=local,src=DIR`"),
        ("type=local,src=", "has no folder to read"),
        ("src=x", "has no type; begin with one, as in `type=local,src=DIR`"),
        ("type=local,src=x,tag=", "has a tag that is none"),
        ("type=local,src=x,digest=sha256:1", "has a digest that is none"),
        ("type=local,src=x,digest=sha256:../../etc/passwd", "has a digest that is none"),
        ("type=local,src=x,mode=max", "`type=local` has no option `mode`"),
        ("type=locl,src=x", "did you mean `type=local`?"),
        (
            "user/app:cache",
            "asks for a cache in a registry, which is not there yet; use a folder: `--cache-from type=local,src=DIR`",
        ),
        ("/", "for a folder write `--cache-from type=local,src=/`"),
        ("type=registry,ref=user/app", "asks for a cache in a registry, which is not there yet; use a folder"),
        ("type=gha", "the cache service of GitHub Actions"),
        ("type=s3,bucket=x", "a bucket of S3"),
        ("type=azblob", "Azure's blob storage"),
    ] {
        assert!(error(&[typed], &[]).contains(expected), "{typed}: {}", error(&[typed], &[]));
    }
    for (typed, expected) in [
        ("type=local", "has no folder to write to; name one: `type=local,dest=DIR`"),
        ("type=local,dest=x,mode=mx", "did you mean `mode=max`?"),
        ("type=local,dest=x,compression=bz", "is not a value of `compression`"),
        ("type=local,dest=x,compression-level=10", "levels are 0 to 9"),
        ("type=local,dest=x,image-manifest=false", "leave out `image-manifest=false`"),
        ("type=local,dest=x,reset=maybe", "is not a value of `reset`"),
        ("type=local,dest=x,src=y", "has no option `src`"),
        ("type=inline", "a cache inside of the image, which is not there yet; use a folder"),
        ("name", "use a folder: `--cache-to type=local,dest=DIR`"),
    ] {
        assert!(error(&[], &[typed]).contains(expected), "{typed}: {}", error(&[], &[typed]));
    }
}
