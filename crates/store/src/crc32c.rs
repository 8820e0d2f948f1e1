//! CRC32C (Castagnoli), RFC 3720 appendix B.4: the checksum of checkpoints, of what waits for receivers, and of
//! what Kafka gets.
//!
//! Eight bytes a step (Kounavis and Berry, "slicing by 8").

const REVERSED_POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[n][byte]`: what a byte leaves of the checksum after n more bytes.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut n = 0u32;
    while n < 256 {
        let mut crc = n;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ REVERSED_POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][n as usize] = crc;
        n += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut n = 0;
        while n < 256 {
            let before = tables[table - 1][n];
            tables[table][n] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            n += 1;
        }
        table += 1;
    }
    tables
}

/// What `byte` leaves after `behind` more bytes.
fn leaves(behind: usize, byte: u8) -> u32 {
    TABLES.get(behind).and_then(|table| table.get(usize::from(byte))).copied().unwrap_or_default()
}

/// The checksum of bytes that come one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c(u32);

impl Crc32c {
    /// Of no bytes.
    pub const NEW: Self = Self(!0);

    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<8>();
        let crc = blocks.iter().fold(self.0, |crc, [a, b, c, d, e, f, g, h]| {
            let [w, x, y, z] = crc.to_le_bytes();
            let first = leaves(7, a ^ w) ^ leaves(6, b ^ x) ^ leaves(5, c ^ y) ^ leaves(4, d ^ z);
            first ^ leaves(3, *e) ^ leaves(2, *f) ^ leaves(1, *g) ^ leaves(0, *h)
        });
        self.0 = rest.iter().fold(crc, |crc, byte| {
            let [low, ..] = crc.to_le_bytes();
            (crc >> 8) ^ leaves(0, low ^ byte)
        });
    }

    /// The checksum of all that was taken.
    pub const fn sum(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc32c(bytes: &[u8]) -> u32 {
        let mut crc = Crc32c::NEW;
        // In pieces, as files are read.
        bytes.chunks(7).for_each(|piece| crc.add(piece));
        crc.sum()
    }

    #[test]
    fn rfc_3720_b_4_examples() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn bytes_in_one_piece_give_the_same_sum_as_bytes_in_many() {
        let bytes: Vec<u8> = (0..200).map(|n: u8| n.wrapping_mul(151)).collect();
        for length in 0..bytes.len() {
            let mut whole = Crc32c::NEW;
            whole.add(&bytes[..length]);
            assert_eq!(whole.sum(), crc32c(&bytes[..length]));
        }
    }
}
