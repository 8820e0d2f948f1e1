//! What can go wrong with a store.

/// Trouble with a store, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectsError {
    /// It is no place in a store.
    #[error("{0}: write it like s3://BUCKET/FOLDER")]
    Place(String),
    /// The endpoint cannot be used.
    #[error("AWS_ENDPOINT_URL {endpoint}: {why}")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store does not take the credentials.
    #[error(
        "{place}: the store refuses these credentials ({code}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they \
         may do there"
    )]
    Refused {
        /// Bucket and folder.
        place: String,
        /// The store's word for it.
        code: String,
    },
    /// There is no such bucket.
    #[error(
        "{place}: the store has no bucket {bucket}: make it first, or check AWS_ENDPOINT_URL and AWS_REGION"
    )]
    NoBucket {
        /// Bucket and folder.
        place: String,
        /// The bucket.
        bucket: String,
    },
    /// It answers what it should not.
    #[error("{place}: the store answers {status} {code}")]
    Answer {
        /// Bucket and folder.
        place: String,
        /// The status code.
        status: u16,
        /// The store's word for it.
        code: String,
    },
    /// It cannot be reached, or says nothing.
    #[error("{place}: {endpoint} cannot be reached: {why}")]
    Unreachable {
        /// Bucket and folder.
        place: String,
        /// Where the store should be.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// What is to be sent cannot be read.
    #[error("{path}: cannot read: {why}")]
    File {
        /// The file.
        path: String,
        /// The system's reason.
        why: String,
        /// It is not there.
        is_gone: bool,
    },
}
