//! `ironhub export` and `ironhub import`: the whole registry to a file or container, and back.
//!
//! A file goes by way of a container of the hub's own storage that is made for it and removed again.

mod export;
mod import;
mod watch;

use clap::Args;
use ironhub_domain::uuid::Uuid;

use super::CommandError;
use super::connection::{ConnectionArgs, HubConnection};
use super::hub_files::STORAGE_VARIABLE;
use crate::client::blobs::{BlobContainer, BlobTransferError, StorageAccount};

pub use export::{ExportArgs, export};
pub use import::{ImportArgs, import};

/// What stands for standard input and output.
const DASH: &str = "-";

/// Options that both commands have.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// Instead of a file: URL of a blob container, here or in Azure, with a signature that opens it
    #[arg(long, value_name = "URI", conflicts_with = "file")]
    pub container_uri: Option<String>,
    /// Name of the blob in that container
    #[arg(long, value_name = "NAME", default_value = "devices.txt", requires = "container_uri")]
    pub blob: String,
    /// Connection string of the hub's own storage, for a file [default: the one in DIR/hub.env]
    #[arg(long, env = STORAGE_VARIABLE, hide_env_values = true, value_name = "STRING")]
    pub storage_connection_string: Option<String>,
    /// Print the job as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl PlaceArgs {
    /// A new container of the hub's own storage.
    async fn temporary(&self, hub: &HubConnection) -> Result<BlobContainer, CommandError> {
        let given = self.storage_connection_string.as_deref().filter(|text| !text.is_empty());
        let text = given.or(hub.storage.as_deref()).ok_or_else(|| {
            CommandError::Usage(format!(
                "a file goes by way of the hub's own storage, whose connection string is not known here: give \
                 --storage-connection-string or the variable {STORAGE_VARIABLE} ({STORAGE_VARIABLE} in the hub's \
                 hub.env), or --container-uri with a container of your own"
            ))
        })?;
        let account = StorageAccount::parse(text)?;
        let name = format!("transfer-{}", Uuid(rand::random()));
        let mut container = BlobContainer::connect(account, &name, &hub.https, &hub.trust).await?;
        container.create().await?;
        Ok(container)
    }
}

impl From<BlobTransferError> for CommandError {
    fn from(error: BlobTransferError) -> Self {
        match error {
            BlobTransferError::Client(error) => Self::Client(error),
            BlobTransferError::File(error) => Self::Output(error),
        }
    }
}
