//! What is computed over a body while it streams by: MD5, and the CRC-64 that newer storage clients send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// The reflected polynomial of Azure Storage's CRC-64, which catalogues list as CRC-64/NVME.
const CRC64_POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

const fn crc64_table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ CRC64_POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

static CRC64: [u64; 256] = crc64_table();

/// What a client said its body's checksums are, in the base64 of its headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// `Content-MD5`.
    pub md5: Option<String>,
    /// `x-ms-content-crc64`, least significant byte first.
    pub crc64: Option<String>,
}

/// A body is not what its sender said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// By its MD5.
    #[error("the MD5 of the body is not the one announced")]
    Md5,
    /// By its CRC-64.
    #[error("the CRC64 of the body is not the one announced")]
    Crc64,
}

/// Checksums of the bytes seen so far. CRC-64 is computed only for who asks.
pub struct Checksums {
    md5: Md5,
    crc64: Option<u64>,
    expected: Expected,
}

impl Checksums {
    /// Of no bytes.
    pub fn new(expected: Expected) -> Self {
        let crc64 = expected.crc64.as_ref().map(|_| u64::MAX);
        Self { md5: Md5::new(), crc64, expected }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some(crc) = &mut self.crc64 {
            for byte in bytes {
                *crc = CRC64[usize::from(*crc as u8 ^ byte)] ^ (*crc >> 8);
            }
        }
    }

    /// The MD5 in base64, if everything is what it was said to be.
    pub fn finish(self) -> Result<String, Mismatch> {
        let md5 = STANDARD.encode(self.md5.finalize());
        if self.expected.md5.is_some_and(|expected| expected != md5) {
            return Err(Mismatch::Md5);
        }
        let crc64 = self.crc64.map(|crc| STANDARD.encode((!crc).to_le_bytes()));
        if crc64 != self.expected.crc64 {
            return Err(Mismatch::Crc64);
        }
        Ok(md5)
    }
}

/// The MD5 of a piece that is in memory, in base64.
pub fn md5_of(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(md5: Option<&str>, crc64: Option<&str>, expected: Result<(), Mismatch>) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut sums = Checksums::new(Expected { md5: owned(md5), crc64: owned(crc64) });
        for piece in ["1234", "", "56789"] {
            sums.update(piece.as_bytes());
        }
        assert_eq!(sums.finish().map(|_| ()), expected, "{md5:?} {crc64:?}");
    }

    #[test]
    fn checksums_are_those_of_the_catalogues() {
        // "123456789": MD5 25f9e794323b453885f5181f1b624d0b, CRC-64/NVME ae8b14860a799888.
        let md5 = "JfnnlDI7RTiF9RgfG2JNCw==";
        let crc64 = STANDARD.encode(0xAE8B_1486_0A79_9888_u64.to_le_bytes());
        check(None, None, Ok(()));
        check(Some(md5), Some(&crc64), Ok(()));
        check(Some("JfnnlDI7RTiF9RgfG2JNCg=="), None, Err(Mismatch::Md5));
        check(Some("nonsense"), None, Err(Mismatch::Md5));
        check(None, Some("AAAAAAAAAAA="), Err(Mismatch::Crc64));
        assert_eq!(md5_of(b"123456789"), md5);
    }
}
