//! Blocks and lists of blocks: the parts that a client sends when a blob is too long for one request.
//!
//! ```xml
//! <?xml version="1.0" encoding="utf-8"?><BlockList><Latest>{base64}</Latest><Committed>…</Committed>…</BlockList>
//! ```

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most blocks of one blob (Azure Blob Storage limits).
pub const BLOCKS_MAX: usize = 50_000;
/// Most blocks of one blob that wait for a list. Half of Azure's number: more could never be in one list.
pub const PENDING_BLOCKS_MAX: usize = BLOCKS_MAX;
/// Longest id of a block before base64, in bytes.
pub const ID_BYTES_MAX: usize = 64;
/// Longest body of a block list: the largest list in its longest spelling, indented.
pub const LIST_BYTES_MAX: usize = 8 << 20;

/// The id of a block, decoded. Ids of one blob have all the same length.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(Vec<u8>);

impl BlockId {
    /// Reads the `blockid` parameter or the text of a list's element: base64 of 1 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        // Checked before decoding: four characters carry three bytes.
        if text.len() > ID_BYTES_MAX.div_ceil(3) * 4 {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        (1..=ID_BYTES_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// As clients write it.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// Reads [`BlockId::hex`].
    pub(super) fn from_hex(hex: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> =
            hex.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
        Some(Self(digits?.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    }

    /// As it stands in file names.
    pub(super) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Where to look for a listed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Among the waiting ones first, then in the blob.
    Latest,
    /// Among the waiting ones.
    Uncommitted,
    /// In the blob as it is.
    Committed,
}

/// A list that is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not the document it must be.
    #[error("the block list is not the XML document it must be")]
    Xml,
    /// A listed id is not base64 of 1 to 64 bytes.
    #[error("a block id of the list is not base64 of 1 to {ID_BYTES_MAX} bytes")]
    Id,
    /// More than [`BLOCKS_MAX`].
    #[error("a block list has at most {BLOCKS_MAX} blocks")]
    TooLong,
}

/// Reads the body of Put Block List. What the storage clients never write (attributes, comments, entities, other
/// elements) is refused.
pub fn parse_list(body: &[u8]) -> Result<Vec<(Origin, BlockId)>, ListError> {
    let text = std::str::from_utf8(body).map_err(|_| ListError::Xml)?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if let Some(declared) = rest.strip_prefix("<?xml") {
        rest = declared.split_once("?>").ok_or(ListError::Xml)?.1.trim_start();
    }
    let empty = ["<BlockList/>", "<BlockList />"].iter().find_map(|tag| rest.strip_prefix(tag));
    if let Some(after) = empty {
        return if after.trim().is_empty() { Ok(Vec::new()) } else { Err(ListError::Xml) };
    }
    rest = rest.strip_prefix("<BlockList>").ok_or(ListError::Xml)?;
    let mut list = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("</BlockList>") {
            return if after.trim().is_empty() { Ok(list) } else { Err(ListError::Xml) };
        }
        let (tag, inner) =
            rest.strip_prefix('<').and_then(|tag| tag.split_once('>')).ok_or(ListError::Xml)?;
        let origin = match tag {
            "Latest" => Origin::Latest,
            "Uncommitted" => Origin::Uncommitted,
            "Committed" => Origin::Committed,
            _ => return Err(ListError::Xml),
        };
        let (id, after) = inner.split_once("</").ok_or(ListError::Xml)?;
        rest = after
            .strip_prefix(tag)
            .and_then(|after| after.strip_prefix('>'))
            .ok_or(ListError::Xml)?;
        if list.len() == BLOCKS_MAX {
            return Err(ListError::TooLong);
        }
        list.push((origin, BlockId::parse(id.trim()).ok_or(ListError::Id)?));
    }
}

/// One block as a list shows it: its id and its bytes.
pub type Listed = (BlockId, u64);

/// Writes the answer to Get Block List; a part that was not asked for is `None`.
pub fn write_lists(committed: Option<&[Listed]>, uncommitted: Option<&[Listed]>) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>".to_owned();
    for (part, blocks) in [("CommittedBlocks", committed), ("UncommittedBlocks", uncommitted)] {
        let Some(blocks) = blocks else { continue };
        // Writing to a String cannot fail.
        let _ = write!(xml, "<{part}>");
        for (id, bytes) in blocks {
            let id = id.base64();
            let _ = write!(xml, "<Block><Name>{id}</Name><Size>{bytes}</Size></Block>");
        }
        let _ = write!(xml, "</{part}>");
    }
    xml.push_str("</BlockList>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<&[(Origin, &str)], ListError>) {
        let list = parse_list(body.as_bytes());
        let shown = list
            .map(|list| list.iter().map(|(origin, id)| (*origin, id.base64())).collect::<Vec<_>>());
        let expected = expected
            .map(|list| list.iter().map(|(o, id)| (*o, (*id).to_owned())).collect::<Vec<_>>());
        assert_eq!(shown, expected, "{body}");
    }

    #[test]
    fn lists_are_read_as_the_clients_write_them() {
        use Origin::{Committed, Latest, Uncommitted};
        check("<BlockList><Latest>AAAA</Latest></BlockList>", Ok(&[(Latest, "AAAA")]));
        check(
            "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<BlockList>\n  <Latest>AAAA</Latest>\r\n  \
             <Committed>AQ==</Committed><Uncommitted> AgI= </Uncommitted>\n</BlockList>\n",
            Ok(&[(Latest, "AAAA"), (Committed, "AQ=="), (Uncommitted, "AgI=")]),
        );
        check("<?xml version=\"1.0\"?><BlockList />", Ok(&[]));
        check("<BlockList></BlockList>", Ok(&[]));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for body in [
            "",
            "<BlockList>",
            "<BlockList><Latest>AAAA</Latest>",
            "<BlockList><Latest>AAAA</Committed></BlockList>",
            "<BlockList><Latest>AAAA</LatestX></BlockList>",
            "<BlockList><Newest>AAAA</Newest></BlockList>",
            "<BlockList>AAAA</BlockList>",
            "<BlockList></BlockList>x",
            "<BlockList/><BlockList/>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><BlockList/>",
            "<?xml version='1.0'",
            "{\"Latest\":[]}",
        ] {
            check(body, Err(ListError::Xml));
        }
        assert_eq!(parse_list(b"<BlockList>\xff</BlockList>"), Err(ListError::Xml));
        for id in ["", "A", "****", "&#65;AAA", &"A".repeat(88), &"A".repeat(100_000)] {
            check(&format!("<BlockList><Latest>{id}</Latest></BlockList>"), Err(ListError::Id));
        }
    }

    #[test]
    fn the_longest_list_fits_and_one_block_more_is_refused() {
        let id = STANDARD.encode([b'x'; ID_BYTES_MAX]);
        let element = format!("    <Uncommitted>{id}</Uncommitted>\r\n");
        let list = |n| format!("<BlockList>\r\n{}</BlockList>", element.repeat(n));
        let longest = list(BLOCKS_MAX);
        assert!(longest.len() <= LIST_BYTES_MAX);
        assert_eq!(parse_list(longest.as_bytes()).unwrap().len(), BLOCKS_MAX);
        assert_eq!(parse_list(list(BLOCKS_MAX + 1).as_bytes()), Err(ListError::TooLong));
    }

    #[test]
    fn lists_are_written_with_the_parts_that_were_asked_for() {
        let blocks = [(BlockId::parse("AAAA").unwrap(), 5)];
        let xml = write_lists(Some(&blocks), None);
        assert!(xml.ends_with(
            "<BlockList><CommittedBlocks><Block><Name>AAAA</Name><Size>5</Size></Block>\
             </CommittedBlocks></BlockList>"
        ));
        assert!(write_lists(None, Some(&[])).contains("<UncommittedBlocks></UncommittedBlocks>"));
    }
}
