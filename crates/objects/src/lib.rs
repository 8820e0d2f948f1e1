//! Objects of an S3-compatible store: listed, read, written, deleted.
//!
//! Requests are signed by AWS Signature Version 4 and name the bucket in their path, which every store understands. What they
//! say is what a log of tables needs: an object can be written only where there is none ([`Bucket::put_new`]), so that of two
//! writers one is told. Nothing is known of what the bytes mean.
//!
//! Secrets never stand in an error, nor in `Debug`.

mod bucket;
mod error;
mod place;
mod sign;
mod wire;

pub use bucket::{Body, Bucket, Object};
pub use error::ObjectsError;
pub use place::{Access, Place};
