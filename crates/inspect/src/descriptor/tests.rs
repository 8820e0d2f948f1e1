use super::*;

/// `tag`, length and bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len() & 0x7f).expect("seven bits");
    let len =
        if content.len() < 0x80 { vec![len] } else { vec![len | 0x80, 1 + u8::from(content.len() > 0xff)] };
    assert!(content.len() < 0x180);
    [&[number << 3 | 2], len.as_slice(), content].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// What protoc makes of:
/// `package shop; message Line { string sku = 1; } message Order { int32 id = 1; Line line = 2; }`
/// `service Orders { rpc Get(Line) returns (Order); }`
pub(crate) fn shop() -> Vec<u8> {
    let field = |name: &str, key: u8, kind: u8, of: &str| {
        let of = if of.is_empty() { Vec::new() } else { bytes(6, of.as_bytes()) };
        bytes(2, &[bytes(1, name.as_bytes()), number(3, key), number(4, 1), number(5, kind), of].concat())
    };
    let line = [bytes(1, b"Line"), field("sku", 1, 9, "")].concat();
    let order = [bytes(1, b"Order"), field("id", 1, 5, ""), field("line", 2, 11, ".shop.Line")].concat();
    let method = [bytes(1, b"Get"), bytes(2, b".shop.Line"), bytes(3, b".shop.Order")].concat();
    let service = [bytes(1, b"Orders"), bytes(2, &method)].concat();
    let file =
        [bytes(1, b"shop.proto"), bytes(2, b"shop"), bytes(4, &line), bytes(4, &order), bytes(6, &service)];
    bytes(1, &file.concat())
}

#[test]
fn fields_have_names_and_types() {
    let mut descriptors = Descriptors::default();
    descriptors.add(&shop()).expect("a set");
    let field = |answer, numbers: &[u32]| descriptors.field("/shop.Orders/Get", answer, numbers);
    assert_eq!(field(false, &[1]), Some(("sku".to_owned(), "string")));
    assert_eq!(field(true, &[2, 1]), Some(("line.sku".to_owned(), "string")));
    assert_eq!(field(true, &[1]), Some(("id".to_owned(), "int32")));
    assert_eq!((field(true, &[9]), descriptors.field("/shop.Orders/Put", true, &[1])), (None, None));
}

#[test]
fn what_is_no_set_is_refused() {
    for bytes in [&b""[..], b"syntax = \"proto3\";", b"\x0a\x05ab", &[0xff; 20]] {
        assert_eq!(Descriptors::default().add(bytes), Err(NotDescriptors), "{bytes:?}");
    }
    let set = shop();
    for len in 0..set.len() {
        let _ = Descriptors::default().add(&set[..len]);
    }
}
