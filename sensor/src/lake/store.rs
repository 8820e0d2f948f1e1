//! The store of objects that tables are copied to and read from.

use super::is_in_store;
use std::path::Path;
use std::sync::Arc;
use tapwire_lake::{Content, LakeError, Objects, Writable};
use tapwire_objects::{Access, Body, Bucket, ObjectsError, Place};

/// Where tables are read: in that data directory, or in the store that a URL names in its stead.
pub(crate) fn tables(data: &Path) -> Result<tapwire_lake::Place, LakeError> {
    match data.to_str().filter(|_| is_in_store(data)) {
        Some(url) => Ok(tapwire_lake::Place::Store(Arc::new(Store::open(place(url)?)?))),
        None => Ok(data.into()),
    }
}

pub(super) fn place(url: &str) -> Result<Place, LakeError> {
    Place::read(url).map_err(|error| told(&error))
}

fn told(error: &ObjectsError) -> LakeError {
    LakeError::Store(error.to_string())
}

/// Who asks, by the variables that tools for such stores read. They stand in no file of ours, and on no command line.
fn access() -> Result<Access, LakeError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(key), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return Err(LakeError::Store(
            "no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment".into(),
        ));
    };
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    Ok(Access {
        endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
        region: region.unwrap_or_else(|| "us-east-1".into()),
        key,
        secret,
        token: variable("AWS_SESSION_TOKEN"),
    })
}

/// The store as the lake sees it.
pub(super) struct Store(Bucket);

impl Store {
    pub(super) fn open(place: Place) -> Result<Self, LakeError> {
        Bucket::open(place, access()?).map(Self).map_err(|error| told(&error))
    }
}

impl Objects for Store {
    fn list(&self, begin: &str) -> Result<Vec<(String, u64)>, String> {
        let found = self.0.list(begin).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|object| (object.name, object.bytes)).collect())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(name).map_err(|error| error.to_string())
    }

    fn part(&self, name: &str, from: u64, bytes: u64) -> Result<Option<Vec<u8>>, String> {
        self.0.part(name, from, bytes).map_err(|error| error.to_string())
    }
}

impl Writable for Store {
    fn put(&self, name: &str, content: Content<'_>) -> Result<bool, String> {
        let body = match content {
            Content::Bytes(bytes) => Body::Bytes(bytes),
            Content::File(path) => Body::File(path),
        };
        match self.0.put(name, body) {
            Ok(()) => Ok(true),
            Err(ObjectsError::File { is_gone: true, .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, String> {
        self.0.put_new(name, bytes).map_err(|error| error.to_string())
    }

    fn delete(&self, name: &str) -> Result<(), String> {
        self.0.delete(name).map_err(|error| error.to_string())
    }
}
