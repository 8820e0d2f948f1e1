//! What can be done with objects.

use crate::error::ObjectsError;
use crate::place::{Access, Place, endpoint};
use crate::sign::{Unsigned, authorization, date, encoded, sha256, sha256_of};
use crate::wire::{agent, first, is_worth_another_try, plain, texts, told};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::Agent;
use ureq::http::{Request, Response};

/// Tries of one request.
const TRIES: u32 = 5;
/// Before the second; each further one waits twice as long.
const WAIT: Duration = Duration::from_millis(200);
/// Bytes of an answer that are read: a thousand names, or a small object.
const MOST: u64 = 64 << 20;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name below the folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// A file, a piece at a time.
    File(&'a Path),
}

/// The objects below a folder of a bucket.
pub struct Bucket {
    agent: Agent,
    access: Access,
    place: Place,
    endpoint: String,
    host: String,
}

/// A request as its caller thinks of it.
struct Asked<'a> {
    method: &'static str,
    /// Below the folder; `None` for the bucket.
    name: Option<&'a str>,
    query: String,
    body: Body<'a>,
    /// Only where there is none.
    new: bool,
    /// Only these bytes: the first, and how many.
    range: Option<(u64, u64)>,
}

impl<'a> Asked<'a> {
    /// Of an object, without a body.
    const fn of(method: &'static str, name: &'a str) -> Self {
        Self {
            method,
            name: Some(name),
            query: String::new(),
            body: Body::Bytes(&[]),
            new: false,
            range: None,
        }
    }
}

impl Bucket {
    /// Of that place. Nothing is asked yet.
    ///
    /// # Errors
    /// The endpoint cannot be used.
    pub fn open(place: Place, access: Access) -> Result<Self, ObjectsError> {
        let (endpoint, host) = endpoint(&access)?;
        Ok(Self { agent: agent(), access, place, endpoint, host })
    }

    /// Where that is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// All objects whose names begin with a text, by name.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub fn list(&self, begin: &str) -> Result<Vec<Object>, ObjectsError> {
        let prefix = encoded(&format!("{}{begin}", self.place.folder), false);
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let from = next.take().map(|token| format!("continuation-token={}&", encoded(&token, false)));
            let query = format!("{}list-type=2&prefix={prefix}", from.unwrap_or_default());
            let asked = Asked { name: None, query, ..Asked::of("GET", "") };
            let (status, body) = self.send(&asked)?;
            let body = String::from_utf8_lossy(&body);
            if status != 200 {
                return Err(self.told(status, &body));
            }
            for one in texts(&body, "Contents") {
                let name = first(one, "Key").map(plain).unwrap_or_default();
                let bytes = first(one, "Size").and_then(|size| size.parse().ok()).unwrap_or_default();
                let name = name.strip_prefix(&self.place.folder).unwrap_or_default().to_owned();
                found.extend((!name.is_empty()).then_some(Object { name, bytes }));
            }
            next = first(&body, "NextContinuationToken").map(plain);
            if first(&body, "IsTruncated") != Some("true") || next.is_none() {
                return Ok(found);
            }
        }
    }

    /// The bytes of a small object; `None` where there is none.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ObjectsError> {
        self.read(&Asked::of("GET", name))
    }

    /// So many bytes of an object from a place on, fewer where it ends before, at most 64 MiB; `None` where there is none.
    ///
    /// # Errors
    /// The store does not answer, or refuses: also where the object ends before that place.
    pub fn part(&self, name: &str, from: u64, bytes: u64) -> Result<Option<Vec<u8>>, ObjectsError> {
        self.read(&Asked { range: Some((from, bytes)), ..Asked::of("GET", name) })
    }

    fn read(&self, asked: &Asked<'_>) -> Result<Option<Vec<u8>>, ObjectsError> {
        let (status, body) = self.send(asked)?;
        let text = || String::from_utf8_lossy(&body).into_owned();
        match status {
            // A store that knows no ranges would send all of it.
            200 if asked.range.is_none() => Ok(Some(body)),
            206 => Ok(Some(body)),
            404 if first(&text(), "Code") != Some("NoSuchBucket") => Ok(None),
            _ => Err(self.told(status, &text())),
        }
    }

    /// Writes an object, also over one.
    ///
    /// # Errors
    /// The store does not answer, or refuses; the file cannot be read.
    pub fn put(&self, name: &str, body: Body<'_>) -> Result<(), ObjectsError> {
        self.write(name, body, false).map(|_| ())
    }

    /// Writes an object where there is none; `false` where there is one. It may be the same, written by a try whose answer was
    /// lost.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, ObjectsError> {
        self.write(name, Body::Bytes(bytes), true)
    }

    /// Deletes an object; one that is not there is deleted.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub fn delete(&self, name: &str) -> Result<(), ObjectsError> {
        let (status, body) = self.send(&Asked::of("DELETE", name))?;
        let text = String::from_utf8_lossy(&body);
        match status {
            200..=299 => Ok(()),
            404 if first(&text, "Code") != Some("NoSuchBucket") => Ok(()),
            _ => Err(self.told(status, &text)),
        }
    }

    fn write(&self, name: &str, body: Body<'_>, new: bool) -> Result<bool, ObjectsError> {
        let asked = Asked { body, new, ..Asked::of("PUT", name) };
        match self.send(&asked)? {
            (200..=299, _) => Ok(true),
            // 409: another request for this name was under way at the same time.
            (409 | 412, _) if new => Ok(false),
            (status, body) => Err(self.told(status, &String::from_utf8_lossy(&body))),
        }
    }

    fn told(&self, status: u16, body: &str) -> ObjectsError {
        told(&self.place.to_string(), &self.place.bucket, status, body)
    }

    /// Sends it until there is an answer that says more than to try again.
    fn send(&self, asked: &Asked<'_>) -> Result<(u16, Vec<u8>), ObjectsError> {
        let mut tries = 1;
        loop {
            let answer = self.try_send(asked)?;
            match answer {
                Ok((status, _)) if is_worth_another_try(status) && tries < TRIES => {}
                Ok(answer) => return Ok(answer),
                Err(_) if tries < TRIES => {}
                Err(error) => {
                    let (place, endpoint) = (self.place.to_string(), self.endpoint.clone());
                    return Err(ObjectsError::Unreachable { place, endpoint, why: error.to_string() });
                }
            }
            std::thread::sleep(WAIT * (1 << (tries - 1)));
            tries += 1;
        }
    }

    /// One try; the outer error is none of the store's.
    fn try_send(&self, asked: &Asked<'_>) -> Result<Result<(u16, Vec<u8>), ureq::Error>, ObjectsError> {
        let sum = match asked.body {
            Body::Bytes(bytes) => sha256(bytes),
            Body::File(path) => File::open(path).and_then(sha256_of).map_err(|error| unread(path, &error))?,
        };
        let request = self.signed(asked, &sum);
        let answer = match asked.body {
            Body::Bytes([]) if asked.method != "PUT" => {
                request.body(()).map(|request| self.agent.run(request))
            }
            Body::Bytes(bytes) => request.body(bytes).map(|request| self.agent.run(request)),
            Body::File(path) => {
                let file = File::open(path).map_err(|error| unread(path, &error))?;
                request.body(file).map(|request| self.agent.run(request))
            }
        };
        Ok(answer.map_err(ureq::Error::from).and_then(|answer| answer).and_then(read))
    }

    fn signed(&self, asked: &Asked<'_>, sum: &str) -> ureq::http::request::Builder {
        let bucket = encoded(&self.place.bucket, false);
        let path = asked.name.map_or_else(
            || format!("/{bucket}"),
            |name| format!("/{bucket}/{}", encoded(&format!("{}{name}", self.place.folder), true)),
        );
        let mut headers = BTreeMap::from([
            ("host", self.host.clone()),
            ("x-amz-content-sha256", sum.to_owned()),
            ("x-amz-date", date(now())),
        ]);
        if asked.new {
            headers.insert("if-none-match", "*".into());
        }
        headers.extend(self.access.token.clone().map(|token| ("x-amz-security-token", token)));
        let unsigned =
            Unsigned { method: asked.method, path: &path, query: &asked.query, body: sum, headers: &headers };
        let authorization = authorization(&unsigned, &self.access);
        let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        let request = Request::builder().method(asked.method).uri(format!("{}{path}{query}", self.endpoint));
        let request = request.header("authorization", authorization);
        let request = match asked.range {
            Some((from, bytes)) => {
                request.header("range", format!("bytes={from}-{}", from + bytes.max(1) - 1))
            }
            None => request,
        };
        headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

fn read(mut answer: Response<ureq::Body>) -> Result<(u16, Vec<u8>), ureq::Error> {
    let status = answer.status().as_u16();
    Ok((status, answer.body_mut().with_config().limit(MOST).read_to_vec()?))
}

fn unread(path: &Path, error: &std::io::Error) -> ObjectsError {
    let is_gone = error.kind() == std::io::ErrorKind::NotFound;
    ObjectsError::File { path: path.display().to_string(), why: error.to_string(), is_gone }
}

/// Seconds since 1970-01-01 UTC.
#[allow(clippy::disallowed_methods, reason = "a signature holds for minutes around its time")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
