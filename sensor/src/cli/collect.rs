//! The command line of the collector and its sensors.

use super::ConfigArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `tapwire collect`.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where sensors send to; beyond loopback it takes a certificate
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8471")]
    pub(crate) listen: String,
    /// Receive over TLS with this chain of certificates, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Take only sensors that show a certificate of one of these authorities, PEM, beside their tokens
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Read topics of Kafka, too: of kafka://HOST:9092/PREFIX, the topic PREFIX.NAME is that of the sensor NAME
    #[arg(long, value_name = "URL")]
    pub(crate) kafka: Option<String>,
    /// Serve the console here meanwhile, on loopback: its page Hunt asks the tables
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) serve: Option<String>,
    /// Key of all tokens, which sensors are given; by default that of --data
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What `sensor` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum SensorAction {
    /// Let a sensor send to this collector, and print the line to run there; its token is shown this once
    Add(SensorAddArgs),
    /// List sensors: when they were heard last, how much they sent, until when they may send
    List {
        /// Where the collector keeps everything
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Take nothing more from a sensor, from its next batch on
    Revoke {
        /// Its name
        name: String,
        /// Where the collector keeps everything
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// `tapwire sensor add`.
#[derive(Debug, Args)]
pub(crate) struct SensorAddArgs {
    /// What its events say of where they come from: letters, digits and . _ -
    pub(crate) name: String,
    /// The site that its events are labelled with
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// The tenant that its events are labelled with
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Days until its token ends
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub(crate) days: u32,
    /// Give a known sensor a new token; the old one is worth nothing from then on
    #[arg(long)]
    pub(crate) renew: bool,
    /// Where the sensor finds the collector
    #[arg(long, value_name = "URL", default_value = "https://COLLECTOR:8471")]
    pub(crate) url: String,
    /// Write the token and the key of tokens into this new folder, to be taken to the sensor, and print no secret
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Where the collector keeps everything
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key of all tokens, where the collector has another than that of --data
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
}
