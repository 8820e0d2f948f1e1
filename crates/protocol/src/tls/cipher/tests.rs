use super::*;
use crate::tls::schedule::hmac;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn suite(id: u16) -> &'static Suite {
    Suite::by_id(id).unwrap()
}

fn opened(opener: &mut Opener, sequence: u64, record: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (head, body) = record.split_first_chunk::<HEAD>().unwrap();
    let mut body = body.to_vec();
    let opened = opener.open(sequence, *head, &mut body)?;
    Some((opened.kind, body[opened.content].to_vec()))
}

const CLIENT_SECRET: &str = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
const CLIENT_RECORD: &str = "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa \
    66 bc ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a \
    ee bb 21 69 49 15 e4";
const SERVER_SECRET: &str = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
const SERVER_RECORD: &str = "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f \
    82 aa 1b 36 e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 \
    32 e1 67 c2 95 5d";

/// The application data of RFC 8448, 3.
#[test]
fn the_records_of_rfc_8448_open_with_their_secrets() {
    let content: Vec<u8> = (0..50).collect();
    for (secret, sequence, record) in [(CLIENT_SECRET, 0, CLIENT_RECORD), (SERVER_SECRET, 1, SERVER_RECORD)] {
        let mut opener = Opener::from_secret(&Secret::new(&bytes(secret)), suite(0x1301)).unwrap();
        assert_eq!(opened(&mut opener, sequence, &bytes(record)), Some((23, content.clone())));
        assert_eq!(opened(&mut opener, sequence + 1, &bytes(record)), None, "another number");
        let mut changed = bytes(record);
        changed[20] ^= 1;
        assert_eq!(opened(&mut opener, sequence, &changed), None, "a changed byte");
        assert_eq!(opener.content_length(0x43), 50);
    }
}

fn cbc_opener(version: u16, id: u16, encrypt_then_mac: bool) -> Opener {
    let Protection::Cbc(key, mac) = suite(id).protection else { panic!("no CBC suite") };
    let (mac_key, key) = (vec![5; mac.length()], vec![6; key]);
    let block = Block { mac_key: &mac_key, key: &key, iv: &[7; 16] };
    Opener::from_block(version, suite(id), &block, encrypt_then_mac).unwrap()
}

/// What a sender does: MAC and encrypt, in either order.
fn seal(
    id: u16,
    encrypt_then_mac: bool,
    sequence: u64,
    version: u8,
    iv: &[u8; 16],
    content: &[u8],
) -> Vec<u8> {
    use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
    let Protection::Cbc(key_length, mac) = suite(id).protection else { panic!("no CBC suite") };
    let (mac_key, key) = (vec![5; mac.length()], vec![6; key_length]);
    let head = [23, 3, version, 0, 0];
    let tag = |text: &[u8]| hmac(mac, &mac_key, &[&additional(sequence, head, text.len()), text]);
    let mut text = content.to_vec();
    if !encrypt_then_mac {
        text.extend(tag(content).bytes());
    }
    let padding = 15 - text.len() % 16;
    text.extend(vec![u8::try_from(padding).unwrap(); padding + 1]);
    let length = text.len();
    if key_length == 16 {
        let cipher = cbc::Encryptor::<Aes128>::new_from_slices(&key, iv).unwrap();
        cipher.encrypt_padded::<NoPadding>(&mut text, length).unwrap();
    } else {
        let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key, iv).unwrap();
        cipher.encrypt_padded::<NoPadding>(&mut text, length).unwrap();
    }
    let mut body = if version > 1 { [&iv[..], &text].concat() } else { text };
    if encrypt_then_mac {
        body.extend(tag(&body).bytes());
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[23, 3, version][..], &length, &body].concat()
}

#[test]
fn cbc_opens_with_either_order_of_mac_and_encryption() {
    for id in [0x002f, 0x0035, 0x003c, 0x003d, 0xc028] {
        for encrypt_then_mac in [false, true] {
            for length in [0, 1, 15, 16, 300] {
                let content = vec![8; length];
                let record = seal(id, encrypt_then_mac, 3, 3, &[9; 16], &content);
                let mut opener = cbc_opener(0x0303, id, encrypt_then_mac);
                assert_eq!(opened(&mut opener, 3, &record), Some((23, content)), "{id:04x} {length}");
                assert_eq!(opened(&mut opener, 4, &record), None, "another number");
                for at in [HEAD, HEAD + 17, record.len() - 1] {
                    let mut changed = record.clone();
                    changed[at] ^= 0x10;
                    assert_eq!(opened(&mut opener, 3, &changed), None, "a changed byte");
                }
            }
        }
    }
}

#[test]
fn cbc_of_tls_1_0_goes_on_from_the_last_block() {
    let mut opener = cbc_opener(0x0301, 0x002f, false);
    let first = seal(0x002f, false, 0, 1, &[7; 16], b"one");
    let chained = *first.last_chunk().unwrap();
    let second = seal(0x002f, false, 1, 1, &chained, b"two");
    assert_eq!(opened(&mut opener, 0, &first), Some((23, b"one".to_vec())));
    assert_eq!(opened(&mut opener, 1, &second), Some((23, b"two".to_vec())));
}

/// Records of TLS 1.0, each going on from the last block of the one before.
fn chained(encrypt_then_mac: bool, contents: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut iv = [7; 16];
    let numbered = contents.iter().zip(0..);
    let sealed = numbered.map(|(content, sequence)| {
        let record = seal(0x002f, encrypt_then_mac, sequence, 1, &iv, content);
        let tag = if encrypt_then_mac { 20 } else { 0 };
        iv = *record[..record.len() - tag].last_chunk().unwrap();
        record
    });
    sealed.collect()
}

const LONG: &[u8] = b"more than one block of text";

#[test]
fn behind_a_lost_record_of_tls_1_0_nothing_is_made_up() {
    for encrypt_then_mac in [false, true] {
        let records = chained(encrypt_then_mac, &[b"one", b"two", LONG, LONG]);
        let mut opener = cbc_opener(0x0301, 0x002f, encrypt_then_mac);
        assert_eq!(opened(&mut opener, 0, &records[0]), Some((23, b"one".to_vec())));
        for sequence in [1, 2, 3] {
            assert_eq!(opened(&mut opener, sequence, &records[2]), None, "what it goes on from is lost");
        }
        opener.pass(&records[2][HEAD..]);
        assert_eq!(opened(&mut opener, 1, &records[3]), None, "another number");
        assert_eq!(opened(&mut opener, 3, &records[3]), Some((23, LONG.to_vec())));
    }
}

#[test]
fn behind_a_damaged_record_of_tls_1_0_nothing_is_made_up() {
    for encrypt_then_mac in [false, true] {
        let mut records = chained(encrypt_then_mac, &[LONG, LONG, LONG]);
        records[0][HEAD + 17] ^= 1;
        let mut opener = cbc_opener(0x0301, 0x002f, encrypt_then_mac);
        assert_eq!(opened(&mut opener, 0, &records[0]), None);
        opener.pass(&records[0][HEAD..]);
        let second = opened(&mut opener, 1, &records[1]);
        // Where the MAC covers the text, it tells that the block before was whole.
        assert_eq!(second.is_some(), !encrypt_then_mac);
        assert_eq!(opened(&mut opener, 2, &records[2]), Some((23, LONG.to_vec())));
    }
}

#[test]
fn records_too_short_for_their_tags_are_not_opened() {
    let mut openers = [
        Opener::from_secret(&Secret::new(&[1; 32]), suite(0x1301)).unwrap(),
        Opener::from_secret(&Secret::new(&[1; 48]), suite(0x1302)).unwrap(),
        cbc_opener(0x0303, 0x002f, false),
        cbc_opener(0x0303, 0x002f, true),
        cbc_opener(0x0301, 0x002f, true),
    ];
    for opener in &mut openers {
        for length in 0..80 {
            assert!(opener.open(0, [23, 3, 3, 0, 0], &mut vec![1; length]).is_none());
        }
    }
}
