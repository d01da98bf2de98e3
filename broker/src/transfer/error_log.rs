//! The errors of an import, on this node's disk while it goes on: a line for each, durable before the job's document counts
//! it. So after a restart the log has neither a gap nor a line twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ironhub_domain::job::transfer::ERRORS_BLOB;

use super::{Stop, blob_name, of_blob};
use crate::actor::NodeFacts;
use crate::blob::SasContainer;

/// What is read at a time when the log goes to its container.
const PIECE_BYTES: usize = 256 * 1024;

/// The log of one import.
pub(super) struct ErrorLog {
    path: PathBuf,
    lines: u64,
}

impl ErrorLog {
    /// The log with its first `lines`; later ones were not counted and are dropped. `None` if it has fewer: then they are on
    /// another node.
    pub(super) async fn open(dir: &Path, id: &str, lines: u64) -> Result<Option<Self>, Stop> {
        let (dir, path) = (dir.to_owned(), dir.join(format!("{id}.log")));
        let opened = path.clone();
        let found = blocking(move || {
            fs::create_dir_all(&dir)?;
            keep(&opened, lines)
        })
        .await
        .map_err(unusable)?;
        Ok((found == lines).then_some(Self { path, lines }))
    }

    /// How many lines it has.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends the errors of lines; they are on disk when this returns.
    pub(super) async fn append(&mut self, faults: &[String]) -> Result<(), Stop> {
        if faults.is_empty() {
            return Ok(());
        }
        let text = faults.join("\n") + "\n";
        let path = self.path.clone();
        let append = move || {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        blocking(append).await.map_err(unusable)?;
        self.lines += faults.len() as u64;
        Ok(())
    }

    /// Writes it to the container as [`ERRORS_BLOB`], in the place of an earlier import's; also if it is empty.
    pub(super) async fn publish(&self, container: &SasContainer) -> Result<(), Stop> {
        let name = blob_name(ERRORS_BLOB)?;
        let failed = of_blob(ERRORS_BLOB);
        let mut writer = container.write(&name, NodeFacts::now()).await.map_err(&failed)?;
        let mut read = 0;
        loop {
            let path = self.path.clone();
            let piece = blocking(move || piece(&path, read)).await.map_err(unusable)?;
            if piece.is_empty() {
                break;
            }
            read += piece.len() as u64;
            writer.write(&piece).await.map_err(&failed)?;
        }
        writer.finish(NodeFacts::now()).await.map_err(&failed)?;
        Ok(())
    }

    /// Forgets the log of an import that has ended, and all that others left.
    pub(super) async fn remove(dir: &Path, id: &str) {
        let dir = dir.to_owned();
        let removed = blocking(move || fs::remove_dir_all(dir)).await;
        if let Err(error) = removed {
            tracing::debug!(job = id, %error, "the errors of an import stay on disk");
        }
    }
}

fn piece(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut piece = Vec::new();
    file.take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

/// Cuts the file behind its first `lines` whole lines; how many of these there are. A file that does not exist is made.
fn keep(path: &Path, lines: u64) -> io::Result<u64> {
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut found, mut end) = (0, 0);
    while found < lines {
        let bytes = reader.skip_until(b'\n')?;
        if bytes == 0 {
            break;
        }
        end += bytes as u64;
        found += 1;
    }
    file.set_len(end)?;
    file.sync_all()?;
    Ok(found)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn unusable(error: io::Error) -> Stop {
    Stop::Failed(format!("the errors cannot be kept on disk: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: u64) -> String {
        format!("{{\"line\":{line}}}")
    }

    #[tokio::test]
    async fn what_was_not_counted_is_dropped_and_what_was_is_never_lost() {
        let dir = std::env::temp_dir().join(format!("ironhub-errors-{:x}", rand::random::<u64>()));
        let mut log = ErrorLog::open(&dir, "j", 0).await.unwrap().unwrap();
        log.append(&[fault(1), fault(2)]).await.unwrap();
        log.append(&[fault(9)]).await.unwrap();
        assert_eq!(log.lines(), 3);
        let lines = |dir: &Path| {
            let text = fs::read_to_string(dir.join("j.log")).unwrap();
            text.lines()
                .filter_map(|line| line.split("\"line\":").nth(1))
                .map(|l| l[..1].to_owned())
                .collect::<String>()
        };
        assert_eq!(lines(&dir), "129");
        let log = ErrorLog::open(&dir, "j", 2).await.unwrap().unwrap();
        assert_eq!((log.lines(), lines(&dir).as_str()), (2, "12"));
        assert!(ErrorLog::open(&dir, "j", 3).await.unwrap().is_none(), "one is lost");
        ErrorLog::remove(&dir, "j").await;
        assert!(!dir.exists());
    }
}
