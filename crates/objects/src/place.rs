//! Where objects are, and what one needs to get there.

use crate::error::ObjectsError;
use std::fmt;

/// A folder of a bucket, or the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// What names of objects begin with; empty, or it ends in a slash.
    pub folder: String,
}

impl Place {
    /// Reads `s3://BUCKET/FOLDER`.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(url: &str) -> Result<Self, ObjectsError> {
        let wrong = || ObjectsError::Place(url.to_owned());
        let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let folder = folder.trim_matches('/');
        // What S3 calls safe, so that a name means the same to every store and reader.
        let is_safe =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        let is_folder = folder.is_empty() || folder.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !(3..=63).contains(&bucket.len()) || !is_safe(bucket) || !is_safe(folder) || !is_folder {
            return Err(wrong());
        }
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(Self { bucket: bucket.to_owned(), folder })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.folder.trim_end_matches('/'))
    }
}

/// Who asks, and where the store is.
#[derive(Clone)]
pub struct Access {
    /// `https://HOST[:PORT]`, or `http://` on this machine; without one, that of AWS in the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The id of the key.
    pub key: String,
    /// The key.
    pub secret: String,
    /// What temporary credentials come with.
    pub token: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The scheme with host and port of an endpoint, and host and port alone.
pub(crate) fn endpoint(access: &Access) -> Result<(String, String), ObjectsError> {
    let Some(given) = &access.endpoint else {
        let host = format!("s3.{}.amazonaws.com", access.region);
        return Ok((format!("https://{host}"), host));
    };
    let wrong = |why| ObjectsError::Endpoint { endpoint: given.clone(), why };
    let (scheme, rest) = given.split_once("://").ok_or_else(|| wrong("write it like https://HOST:PORT"))?;
    let host = rest.trim_end_matches('/');
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(wrong("write it like https://HOST:PORT, without a path"));
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match scheme {
        "https" => {}
        "http" if matches!(name, "localhost" | "127.0.0.1" | "[::1]") => {}
        "http" => return Err(wrong("tables would go over the network in clear: give https://")),
        _ => return Err(wrong("write it like https://HOST:PORT")),
    }
    Ok((format!("{scheme}://{host}"), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_buckets_with_folders() {
        let place = |url: &str| {
            Place::read(url).map(|place| (place.bucket.clone(), place.folder.clone(), place.to_string()))
        };
        let of = |bucket: &str, folder: &str, told: &str| Ok((bucket.into(), folder.into(), told.into()));
        assert_eq!(place("s3://lake"), of("lake", "", "s3://lake/"));
        assert_eq!(place("s3://lake/"), of("lake", "", "s3://lake/"));
        assert_eq!(place("s3://lake/site/oslo/"), of("lake", "site/oslo/", "s3://lake/site/oslo"));
        for wrong in [
            "lake",
            "https://lake",
            "s3://",
            "s3://a",
            "s3://lake/a//b",
            "s3://lake/../b",
            "s3://la ke/x",
            "s3://lake/ü",
        ] {
            assert_eq!(place(wrong), Err(ObjectsError::Place(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn tables_do_not_go_over_a_network_in_clear() {
        let access = |endpoint: Option<&str>| Access {
            endpoint: endpoint.map(str::to_owned),
            region: "eu-north-1".into(),
            key: "key".into(),
            secret: "hidden".into(),
            token: Some("hidden".into()),
        };
        let of = |text: &str| endpoint(&access(Some(text)));
        assert_eq!(endpoint(&access(None)).unwrap().0, "https://s3.eu-north-1.amazonaws.com");
        assert_eq!(of("https://store.example:9000/").unwrap().1, "store.example:9000");
        assert_eq!(of("http://127.0.0.1:9000").unwrap().0, "http://127.0.0.1:9000");
        assert!(of("http://[::1]:9000").is_ok() && of("http://localhost").is_ok());
        assert!(of("http://store.example").unwrap_err().to_string().contains("give https://"));
        for wrong in ["store.example", "ftp://store.example", "https://", "https://a/b", "https://user@host"]
        {
            assert!(matches!(of(wrong), Err(ObjectsError::Endpoint { .. })), "{wrong}");
        }
        assert!(!format!("{:?}", access(None)).contains("hidden"));
    }
}
