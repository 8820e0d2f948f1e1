//! The command line of `inventory`.

use super::LearnArgs;
use clap::Args;

/// `tapwire inventory`.
#[derive(Debug, Args)]
pub(crate) struct InventoryArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// Show one endpoint with its parameters and schemas: its id, or method and template such as 'GET /orders/{orderId}'
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) endpoint: Option<String>,
    /// Show what leaves one's own network: public services called from inside ([networks]; without it, private addresses)
    #[arg(long, conflicts_with = "endpoint")]
    pub(crate) egress: bool,
    /// Show servers of the Model Context Protocol: their tools, prompts and resources, who calls them, and what changed
    #[arg(long, conflicts_with_all = ["endpoint", "egress"])]
    pub(crate) mcp: bool,
    /// Show language models: who asks them, tokens, tools that are offered and called
    #[arg(long, conflicts_with_all = ["endpoint", "egress", "mcp"])]
    pub(crate) llm: bool,
    /// Of a collector's directory: only what sensors of this site told
    #[arg(long, value_name = "SITE", conflicts_with_all = ["egress", "mcp", "llm", "paths"])]
    pub(crate) site: Option<String>,
    /// Of a collector's directory: only what sensors of this tenant told
    #[arg(long, value_name = "TENANT", conflicts_with_all = ["egress", "mcp", "llm", "paths"])]
    pub(crate) tenant: Option<String>,
    /// As JSON, one object a line; those of endpoints that turned out to be others have `merged_into`
    #[arg(long)]
    pub(crate) json: bool,
}
